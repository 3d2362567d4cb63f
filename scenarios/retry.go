package scenarios

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// The pace of a flapping link.
const flapDown, flapUp = time.Second, time.Second

// After network trouble a node tries again by itself, and gets there.
var _ = Describe("Retry", retry, func() {
	It("registers over a link that flaps", smoke, func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]

		By("letting the link to the supernode flap, then starting the swarm")
		bed.Inject(ctx, fault.Flap{
			Of:   fault.BlockPort{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002), How: fault.Dropped},
			Down: flapDown, Up: flapUp,
		})
		bed.Open(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Ready).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	It("finishes a download over links that flap", func(ctx SpecContext) {
		const originRate = 4 << 20 // bytes/s: 16 MiB take 4 s, two turns of the flapping
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		peer, file := bed.Peers()[0], fixtures.Layer16M

		By("letting the links to all parents flap")
		bed.Inject(ctx, fault.Flap{
			Of:   fault.BlockPort{Links: fault.From(peer).To(append(bed.Seeds(), bed.Peers()[1:]...)...).Port(65002), How: fault.Dropped},
			Down: flapDown, Up: flapUp,
		})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(diagnosis("piece", "", "")))
	}, SpecTimeout(harness.Spec))

	It("takes pieces elsewhere when a parent resets its connections", func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("bringing the file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("resetting what the seeds answer to a peer")
		bed.Inject(ctx, fault.Reset{Links: fault.From(peer).To(bed.Seeds()...).Port(65002)})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromPeers()))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(diagnosis("piece", "", "reset")))
	}, SpecTimeout(harness.Spec))

	It("registers again when the supernode no longer resets its connections", func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]

		By("resetting what the supernode answers to a peer")
		reset := bed.Inject(ctx, fault.Reset{Links: fault.From(peer).To(bed.Supernodes()...)})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).ShouldNot(ContainElement(peer.Name))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis("", "supernode-1:8002", "reset")))

		By("letting it be")
		reset.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	DescribeTable("finds a supernode that was away", func(ctx SpecContext, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("taking the supernode away")
		outage := bed.Inject(ctx, fault.Unreachable{Nodes: bed.Supernodes(), How: how})
		for _, peer := range bed.Peers() {
			Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(BeEmpty())
		}

		By("bringing it back")
		outage.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
	},
		Entry("killed and restarted", smoke, fault.Killed, SpecTimeout(harness.Spec)),
		Entry("paused", fault.Paused, SpecTimeout(harness.Spec)),
		Entry("dropped", fault.Dropped, SpecTimeout(harness.Spec)),
	)

	It("does not let a lost supernode stop a download under way", func(ctx SpecContext) {
		const originRate = 3 << 20 // bytes/s: 16 MiB take about 5 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		file := fixtures.Layer16M

		By("getting well into a download")
		download := bed.Download(ctx, bed.Peers()[0], file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.2))

		By("killing the supernode")
		bed.Inject(ctx, fault.Unreachable{Nodes: bed.Supernodes(), How: fault.Killed})
		Expect(download.Progress(ctx)).To(BeNumerically("<", 1))

		By("finishing from the parents that it knows")
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	It("takes a slow supernode for slow, not for dead", func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("holding back the supernode's answers to a peer")
		bed.Inject(ctx, fault.Delay{Links: fault.From(peer).To(bed.Supernodes()...), By: 300 * time.Millisecond}) // between continents

		By("seeing it stay, and downloading")
		Consistently(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(everybody))
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	It("gets a file past a parent that trickles", func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("bringing the file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("thinning the link to a seed")
		const trickle = 50_000 // bytes/s: the whole file would take more than a minute
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.Seeds()[0]).Port(65002), BytesPerSecond: trickle})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(
			judge.BeIntact(file),
			judge.ComeFromSwarm(),
			HaveField("TookMS", BeNumerically("<", file.Size*1000/trickle/4)),
		))
	}, SpecTimeout(harness.Spec))
})
