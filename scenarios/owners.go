package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// Several supernodes share the work: each peer is in the swarm at all of them, and one
// that is away takes nobody out.
var _ = Describe("Of two supernodes", control, func() {
	// Seen red: with tasks that stay with an owner that is gone, some files come from the origin.
	It("both count everybody, and one without the other goes on", kills("next-supernode-never-asked"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(2, 2, 2))
		one, two := bed.Supernodes()[0], bed.Supernodes()[1]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))
		Expect(bed.CountedBy(one)(ctx)).To(ConsistOf(everybody))
		Expect(bed.CountedBy(two)(ctx)).To(ConsistOf(everybody))

		By("killing the first")
		outage := bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{one}, How: fault.Killed})
		Expect(bed.CountedBy(two)(ctx)).To(ConsistOf(everybody))

		By("downloading file after file, so that some were the lost one's")
		for n := range 4 {
			Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Fresh(n)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), judge.ComeFromSwarm()))
		}

		By("bringing it back")
		outage.Heal(ctx)
		Eventually(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
	}, SpecTimeout(harness.Spec))

	// Seen red: with the way back to the first supernode forgotten, no task is ever its own again.
	It("the first owns tasks again once it is back", kills("lost-supernode-never-returned-to"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(2, 1, 2))
		one, peer := bed.Supernodes()[0], bed.Peers()[0]

		By("taking it away and bringing it back")
		outage := bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{one}, How: fault.Refused})
		Eventually(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Drop).Should(BeEmpty())
		outage.Heal(ctx)
		Eventually(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Rejoin).Should(ContainElements(peer.Name, "seed-1"))

		By("downloading until one is its own")
		n := 0
		Eventually(ctx, func() string {
			n++
			Expect(bed.Download(ctx, peer, fixtures.Fresh(n)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), judge.ComeFromSwarm()))
			return bed.Owner(ctx, fixtures.Fresh(n)).Name
		}).WithTimeout(bed.Bounds().Rejoin).Should(Equal(one.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: with an owner that does not depend on the task, one has them all.
	It("each owns some of the tasks", kills("first-supernode-owns-all"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(2, 1, 1))

		By("downloading file after file")
		owners := map[string]bool{}
		for n := range 6 { // their names decide, so that this is no matter of chance
			Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Fresh(n)).Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(n)))
			owners[bed.Owner(ctx, fixtures.Fresh(n)).Name] = true
		}
		Expect(owners).To(SatisfyAll(HaveKey("supernode-1"), HaveKey("supernode-2")))
	}, SpecTimeout(harness.Spec))

	// Seen red: with an address that is looked up once and kept, the peer stays where it was.
	It("the one that a name leads to is followed when the name moves", kills("dns-answer-kept-for-ever", "place-fought-over"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(2, 1, 2))
		one, two, peer := bed.Supernodes()[0], bed.Supernodes()[1], bed.Peers()[0]

		By("letting the first's name lead a peer to the second")
		moved := bed.Inject(ctx, fault.DNSWrong{Nodes: []topology.Node{peer}, Of: []topology.Node{one}, To: two})
		Eventually(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Notice).ShouldNot(ContainElement(peer.Name))

		By("seeing it stay where it is, at the second once")
		Consistently(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Drop).ShouldNot(ContainElement(peer.Name))
		Expect(bed.Diagnoses(peer)(ctx)).NotTo(ContainElement(diagnosis("announce", "supernode-2:8002", "")))

		By("letting it lead to the first again")
		moved.Heal(ctx)
		Eventually(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
		Expect(bed.CountedBy(two)(ctx)).To(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: with the watch over names leaving before anybody answers at the new address, it is out.
	It("the one whose name leads nowhere is kept while it lives", kills("moved-name-taken-on-trust", "name-followed-into-nowhere"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(3, 1, 2))
		one, dead, peer := bed.Supernodes()[0], bed.Supernodes()[2], bed.Peers()[0]

		By("letting the first's name lead a peer to where nobody answers")
		bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{dead}, How: fault.Dropped})
		bed.Inject(ctx, fault.DNSWrong{Nodes: []topology.Node{peer}, Of: []topology.Node{one}, To: dead})
		Consistently(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))
})
