package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// A swarm that falls apart is as many swarms, each of those that still hear each other:
// whoever has a supernode and a seed shares, the others get their files from the origin.
// Once the network is whole it is one swarm again, at every supernode, by itself.
var _ = Describe("A partition", partitions, needs("several-places"), func() {
	all := topology.Of(2, 2, 3)
	nodes := func(names ...string) (set []topology.Node) {
		for _, name := range names {
			n, _ := all.Node(name)
			set = append(set, n)
		}
		return set
	}
	everybody := topology.Names(all.Of(topology.Seed, topology.Peer))
	countedAgain := func(ctx SpecContext, bed *harness.Bed) {
		By("making the network whole")
		for _, supernode := range bed.Supernodes() {
			Eventually(ctx, bed.CountedBy(supernode)).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		}
		Eventually(ctx, fresh(bed, bed.Peers()[0])).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}

	// Seen red: with peers that do not come back after a silence, only seeds are counted; with a peer that
	// waits for ever for seeds, it gets no file.
	DescribeTable("takes out whom supernodes do not hear, and lets them in again:", func(ctx SpecContext, sets [][]topology.Node, left []string) {
		bed := harness.Start(ctx, GinkgoTB(), all)
		peer := bed.Peers()[0]

		By("cutting them from each other")
		cut := bed.Inject(ctx, fault.Partition{Sets: sets})
		for _, supernode := range bed.Supernodes() {
			Eventually(ctx, bed.CountedBy(supernode)).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(left))
		}

		By("downloading all the same")
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromOrigin()))

		cut.Heal(ctx)
		countedAgain(ctx, bed)
	},
		Entry("peers from supernodes", kills("retries-only-what-was-refused"),
			[][]topology.Node{all.Of(topology.Peer), all.Of(topology.Supernode)}, topology.Names(all.Of(topology.Seed)), SpecTimeout(harness.Spec)),
		Entry("seeds from everybody, the origin and each other too", kills("origin-never-asked"),
			[][]topology.Node{nodes("seed-1"), nodes("seed-2"), all.Of(topology.Supernode, topology.Peer, topology.Origin)}, topology.Names(all.Of(topology.Peer)), SpecTimeout(harness.Spec)),
	)

	// Seen red: with a task that stays with its owner, a half gets from the origin what was the
	// other's; with holdings that are not announced, the bridge carries nothing.
	DescribeTable("into two halves, each with a supernode and a seed, leaves two swarms", func(ctx SpecContext, one, other []topology.Node, carried types.GomegaMatcher) {
		bed := harness.Start(ctx, GinkgoTB(), all)
		file := fixtures.Layer4M

		By("cutting the halves from each other")
		cut := bed.Inject(ctx, fault.Partition{Sets: [][]topology.Node{one, other}})
		Eventually(ctx, bed.CountedBy(bed.Node("supernode-1"))).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(members(one)))
		Eventually(ctx, bed.CountedBy(bed.Node("supernode-2"))).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(members(other)))

		By("downloading in one half, on the peer that may stand in both, then in the other half")
		for _, peer := range []string{"peer-1", "peer-3"} {
			Expect(bed.Download(ctx, bed.Node(peer), file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		}
		Expect(bed.Download(ctx, bed.Node("peer-2"), file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), carried))

		cut.Heal(ctx)
		countedAgain(ctx, bed)
	},
		Entry("that know nothing of each other", kills("next-supernode-never-asked"),
			nodes("supernode-1", "seed-1", "peer-1", "peer-3"), nodes("supernode-2", "seed-2", "peer-2"), judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("between which a peer is a bridge, and carries what it has", kills("holdings-not-announced"),
			nodes("supernode-1", "seed-1", "peer-1", "peer-3"), nodes("supernode-2", "seed-2", "peer-2", "peer-3"), judge.ComeFromPeers(), SpecTimeout(harness.Spec)),
	)
})

// members are the names of those of a set that supernodes count.
func members(set []topology.Node) []string {
	return topology.Names(topology.Topology{Nodes: set}.Of(topology.Seed, topology.Peer))
}
