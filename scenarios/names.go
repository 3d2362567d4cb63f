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

// tooSlow is an answer of a resolver that comes after everybody has given up: the
// reference swarm gives a connection a second, its name included.
const tooSlow = 3 * time.Second

// A name that leads nowhere costs whoever asks for it its way there, and no file. The log
// names what was looked up and what came of it, and nobody has to be restarted once the
// name is right.
var _ = Describe("A supernode's name", dns, needs("causes"), func() {
	// Seen red: with one attempt to register it stays out.
	DescribeTable("that a peer cannot look up at its start keeps it out, and lets it in once it can", kills("registers-once"), func(ctx SpecContext, broken func(peer, supernode []topology.Node) fault.Fault, cause string) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Of(1, 1, 2))
		sick, well := bed.Peers()[0], bed.Peers()[1]

		By("breaking the name for one peer, then starting the swarm")
		outage := bed.Inject(ctx, broken(bed.Peers()[:1], bed.Supernodes()))
		bed.Open(ctx)
		bed.AwaitReady(ctx, sick)
		Eventually(ctx, bed.Diagnoses(sick)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(diagnosis("register", "supernode-1:8002", cause)))

		By("downloading on it and on another")
		Expect(bed.Download(ctx, sick, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromOrigin()))
		Expect(bed.Download(ctx, well, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromSwarm()))
		Expect(bed.Members(ctx)).NotTo(ContainElement(sick.Name))

		By("mending it")
		outage.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(sick.Name))
		Eventually(ctx, fresh(bed, sick)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("as it is unknown", smoke, func(peer, supernode []topology.Node) fault.Fault {
			return fault.DNSFail{Nodes: peer, Of: supernode, With: fault.NXDomain}
		}, "no such host", SpecTimeout(harness.Spec)),
		Entry("as nobody answers", func(peer, supernode []topology.Node) fault.Fault {
			return fault.DNSFail{Nodes: peer, Of: supernode, With: fault.NameSilent}
		}, "timed out", SpecTimeout(harness.Spec)),
		Entry("as its name server fails", kills("dead-dns-called-no-such-host"), func(peer, supernode []topology.Node) fault.Fault {
			return fault.DNSFail{Nodes: peer, Of: supernode, With: fault.ServFail}
		}, "bad answer", SpecTimeout(harness.Spec)),
		Entry("as the answer is too slow", func(peer, supernode []topology.Node) fault.Fault {
			return fault.DNSSlow{Nodes: peer, Of: supernode, By: tooSlow}
		}, "timed out", SpecTimeout(harness.Spec)),
	)

	// Seen red: with a fifth of the time for a connection, the peer does not get in.
	It("that is looked up slowly, as all others, is no reason to stay out", kills("connects-in-haste"), func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Of(1, 1, 2))

		By("slowing down what a peer looks up, then starting the swarm")
		bed.Inject(ctx, fault.DNSSlow{Nodes: bed.Peers()[:1], By: 300 * time.Millisecond}) // a resolver on another continent
		bed.Open(ctx)
		bed.AwaitReady(ctx)

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a peer that does not register again once it was in, it stays out.
	It("lost in the middle matters only when the supernode is connected to anew", kills("lost-supernode-never-returned-to"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 2))
		peer, everybody := bed.Peers()[0], topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("losing the name on one peer, and seeing it stay")
		lost := bed.Inject(ctx, fault.DNSFail{Nodes: bed.Peers()[:1], Of: bed.Supernodes(), With: fault.ServFail})
		Consistently(ctx, bed.Members).WithTimeout(bed.Bounds().Notice / 2).Should(ConsistOf(everybody)) // some turns of its watch over the name
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromSwarm()))

		By("restarting the supernode")
		bed.Inject(ctx, fault.Restart{Nodes: bed.Supernodes()})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(without(everybody, peer.Name)))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(SatisfyAll(
			diagnosis("register", "supernode-1:8002", ""), HaveField("Error", ContainSubstring("lookup supernode-1")))))
		Expect(bed.Download(ctx, peer, fixtures.Fresh(100)).Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(100)))

		By("finding the name again")
		lost.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	// Seen red: with the first address alone looked at, the peer turns to the other supernode.
	It("that stands for several in any order moves nobody", kills("any-other-first-address-taken-for-a-move"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(2, 1, 2))
		one, two, peer := bed.Supernodes()[0], bed.Supernodes()[1], bed.Peers()[0]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("putting the second's address before the first's for one peer, and seeing it stay")
		bed.Inject(ctx, fault.DNSWrong{Nodes: bed.Peers()[:1], Of: []topology.Node{one}, To: two, Both: true})
		Consistently(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Notice/2).Should(ConsistOf(everybody), "who is counted there")
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with an address that is looked up once and kept, the peer stays where it was.
	It("that leads to another from the start is followed when it is right", kills("dns-answer-kept-for-ever"), needs("several-places"), func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Of(2, 1, 2))
		one, two, peer := bed.Supernodes()[0], bed.Supernodes()[1], bed.Peers()[0]

		By("letting the first's name lead a peer to the second, then starting the swarm")
		wrong := bed.Inject(ctx, fault.DNSWrong{Nodes: bed.Peers()[:1], Of: bed.Supernodes()[:1], To: two})
		bed.Open(ctx)
		bed.AwaitReady(ctx, peer)
		Eventually(ctx, bed.CountedBy(two)).WithTimeout(bed.Bounds().Ready).Should(ContainElement(peer.Name))
		Expect(bed.CountedBy(one)(ctx)).NotTo(ContainElement(peer.Name))
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer1M))

		By("letting it lead to the first")
		wrong.Heal(ctx)
		Eventually(ctx, bed.CountedBy(one)).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
		Eventually(ctx, bed.CountedBy(two)).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name)) // it leaves there by one name, and stays by the other
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))
})
