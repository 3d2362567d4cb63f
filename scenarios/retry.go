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
const flapPeriod = 2 * time.Second // half of it up, half down

// After network trouble a node tries again by itself, and gets there.
var _ = Describe("Retry", retry, func() {
	// Seen red: with one attempt to register, as in 2.1.0, peer-1 stays out.
	It("registers over a link that flaps", kills("registers-once"), smoke, func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("letting the link to the supernode flap, then starting the swarm")
		bed.Inject(ctx, fault.Flap{
			Of:     fault.BlockPort{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002), How: fault.Dropped},
			Period: flapPeriod, Duty: 0.5,
		})
		bed.Open(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Ready).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a peer that does not register again once it was in, peer-1 stays out.
	It("registers again when the supernode no longer resets its connections", kills("lost-supernode-never-returned-to", "resets-logged-as-closed"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
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

	It("gets files from the swarm again when the supernode no longer resets its connections", kills("lost-supernode-never-returned-to"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("resetting what the supernode answers to a peer, and downloading")
		reset := bed.Inject(ctx, fault.Reset{Links: fault.From(peer).To(bed.Supernodes()...)})
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer1M))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(HaveField("Cause", "reset")))

		By("letting it be")
		reset.Heal(ctx)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	// Seen red: without retries, as in 2.1.0, the count stays 0.
	DescribeTable("finds a supernode that was away", func(ctx SpecContext, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("taking the supernode away")
		outage := bed.Inject(ctx, fault.Unreachable{Nodes: bed.Supernodes(), How: how})
		for _, peer := range bed.Peers() {
			Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(BeEmpty())
		}

		By("downloading in the meantime, then bringing it back")
		Expect(bed.Download(ctx, bed.Peers()[1], fixtures.Layer1M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer1M))
		outage.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Eventually(ctx, fresh(bed, bed.Peers()[0])).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("killed and restarted", kills("crash-without-supernode", "a-new-name-each-time"), smoke, fault.Killed, SpecTimeout(harness.Spec)),
		Entry("paused", kills("lost-supernode-never-returned-to"), fault.Paused, SpecTimeout(harness.Spec)),
		Entry("dropped", kills("retries-only-what-was-refused"), fault.Dropped, SpecTimeout(harness.Spec)),
	)

	// Seen red: with a patience of 250 ms for parents, the file comes from the origin.
	It("takes a slow supernode for slow, not for dead", kills("slow-taken-for-dead"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("holding back the supernode's answers to a peer")
		bed.Inject(ctx, fault.Delay{Links: fault.From(peer).To(bed.Supernodes()...), By: 300 * time.Millisecond, Direction: fault.Downstream}) // between continents

		By("seeing it stay, and downloading")
		Consistently(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(everybody))
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))
})
