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

// A download that meets trouble takes its pieces elsewhere, and gets there.
var _ = Describe("Retry", retry, func() {
	// Seen red: with failed pieces taken from the origin at once, it serves two thirds of the file.
	It("finishes a download over links that flap", kills("failed-pieces-from-origin"), func(ctx SpecContext) {
		const originRate = 4 << 20 // bytes/s: 16 MiB take 4 s, two turns of the flapping
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		peer, file := bed.Peers()[0], fixtures.Layer16M

		By("letting the links to all parents flap")
		bed.Inject(ctx, fault.Flap{
			Of:     fault.BlockPort{Links: fault.From(peer).To(append(bed.Seeds(), bed.Peers()[1:]...)...).Port(65002), How: fault.Dropped},
			Period: 3 * time.Second, Duty: 2. / 3, // down for longer than the reference swarm waits for a piece: some fail
		})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(
			judge.BeIntact(file),
			HaveField("From.Origin", BeNumerically("<", file.Size/4)),
		))
	}, SpecTimeout(harness.Spec))

	// Seen red: with failed pieces taken from the origin at once, peers serve too little.
	It("takes pieces elsewhere when a parent resets its connections", kills("one-failed-piece-ends-all"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer64M // so many pieces that some are asked of the seed

		By("bringing the file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("resetting what the seeds answer to a peer")
		bed.Inject(ctx, fault.Reset{Links: fault.From(peer).To(bed.Seeds()...).Port(65002)})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromPeers()))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(diagnosis("piece", "", "reset")))
	}, SpecTimeout(harness.Spec))

	// Seen red: with peers that go to the origin as soon as the supernode is lost, it serves the rest.
	It("does not let a lost supernode stop a download under way", kills("parents-forgotten-with-the-supernode"), func(ctx SpecContext) {
		const originRate = 2 << 20 // bytes/s: 16 MiB take 8 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().OriginLimited(originRate))
		file := fixtures.Layer16M

		By("getting well into a download")
		download := bed.Download(ctx, bed.Peers()[0], file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.2))

		By("killing the supernode")
		bed.Inject(ctx, fault.Unreachable{Nodes: bed.Supernodes(), How: fault.Killed})
		bed.UnderWay(download)

		By("finishing from the parents that it knows")
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	It("gets a file past a parent that trickles", kills("slowest-blocks-all"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer64M // so many pieces that some are asked of the seed

		By("bringing the file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("thinning the link to a seed")
		const trickle = 50_000 // bytes/s: the whole file would take 20 minutes
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.SeedAtWork(ctx)).Port(65002), BytesPerSecond: trickle, Direction: fault.Downstream})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(judge.BeIntact(file)) // within the system's bound
	}, SpecTimeout(harness.Spec))

	// Seen red: with all pieces asked of the primary seed, the origin has to help out.
	It("gets a file past a parent that trickles from others that have it", kills("slowest-blocks-all"), needs("patience"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("bringing the file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("thinning the link to a seed")
		const trickle = 50_000 // bytes/s: the whole file would take more than a minute
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.SeedAtWork(ctx)).Port(65002), BytesPerSecond: trickle, Direction: fault.Downstream})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(
			judge.BeIntact(file),
			judge.ComeFromSwarm(),
			HaveField("TookMS", BeNumerically("<", file.Size*1000/trickle/16)),
		))
	}, SpecTimeout(harness.Spec))
})
