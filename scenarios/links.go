package scenarios

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// A swarm rests on six kinds of links, no two of which share one. What is cut, in one
// direction or in the other, shows in whom the supernode counts and in whom a peer knows:
//
//	           cut of                        supernode counts   a peer knows      a new file is from
//	signalling peers to supernode            seeds              nobody            origin
//	neighbours peers' gRPC to each other     everybody          seeds             swarm
//	lists      peers to the seeds' gRPC      everybody          the other peers   origin
//	pieces     peers to everybody's pieces   everybody          everybody         origin
//	seeding    supernode to seeds, and back  peers              the other peers   origin
//	sources    seeds to the origin           everybody          everybody         origin
//
// A file arrives in each case, and when two of them are cut at once; once they are whole
// again all are counted, and files come from the swarm.
var (
	signalling = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()...).To(bed.Supernodes()...).Port(8002)
	}, roles(topology.Seed), roles(), judge.ComeFromOrigin()}
	neighbours = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()...).To(bed.Peers()...).Port(65000)
	}, anybody, roles(topology.Seed), judge.ComeFromSwarm()}
	lists = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()...).To(bed.Seeds()...).Port(65000)
	}, anybody, roles(topology.Peer), judge.ComeFromOrigin()}
	pieces = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()...).To(append(bed.Seeds(), bed.Peers()...)...).Port(65002)
	}, anybody, anybody, judge.ComeFromOrigin()}
	seeding = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.Between(bed.Supernodes(), bed.Seeds()).Port(8002, 65000)
	}, roles(topology.Peer), roles(topology.Peer), judge.ComeFromOrigin()}
	sources = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Seeds()...).To(bed.Origin())
	}, anybody, anybody, judge.ComeFromOrigin()}
)

type linkKind struct {
	of      func(*harness.Bed) fault.Links
	counted []topology.Role // by the supernode, under a cut
	known   []topology.Role // by a peer, under a cut
	source  types.GomegaMatcher
}

var anybody = roles(topology.Seed, topology.Peer)

func roles(r ...topology.Role) []topology.Role { return r }

var _ = Describe("Links of one kind", retry, needs("mesh"), func() {
	// Seen red: with what each mutant breaks.
	DescribeTable("cut one way, the other way, and together with another kind cost nobody a file:", long, func(ctx SpecContext, kind linkKind, others []linkKind) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, n := bed.Peers()[0], 100
		arrives := func(from types.GomegaMatcher) {
			n++ // far from what fresh downloads
			Expect(bed.Download(ctx, peer, fixtures.Fresh(n)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), from))
		}
		knows := func(counted, known []topology.Role, within time.Duration) {
			Eventually(ctx, bed.Members).WithTimeout(within).Should(ConsistOf(topology.Names(bed.Of(counted...))))
			Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(without(topology.Names(bed.Of(known...)), peer.Name)))
		}

		By("cutting what goes up, counting, and downloading what nobody has")
		up := bed.Inject(ctx, fault.Drop{Links: kind.of(bed), Direction: fault.Upstream})
		knows(kind.counted, kind.known, bed.Bounds().Drop)
		arrives(kind.source)
		up.Heal(ctx)
		knows(anybody, anybody, bed.Bounds().Rejoin)

		By("cutting what comes down, counting, and downloading what nobody has")
		down := bed.Inject(ctx, fault.Drop{Links: kind.of(bed), Direction: fault.Downstream})
		knows(kind.counted, kind.known, bed.Bounds().Drop)
		arrives(kind.source)

		By("cutting another kind too, one after the other, and downloading what nobody has")
		for _, other := range others {
			also := bed.Inject(ctx, fault.Drop{Links: other.of(bed), Direction: fault.Upstream})
			arrives(judge.ComeFromAnywhere())
			also.Heal(ctx)
		}

		By("healing, counting, and downloading from the swarm")
		down.Heal(ctx)
		knows(anybody, anybody, bed.Bounds().Rejoin)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		// Each pair of kinds stands once.
		Entry("peers' signalling to the supernode", kills("lost-supernode-never-returned-to"), signalling, []linkKind{neighbours, lists, pieces}, SpecTimeout(harness.Spec)),
		Entry("peers' calls to each other", kills("lists-believed"), neighbours, []linkKind{lists, pieces, seeding}, SpecTimeout(harness.Spec)),
		Entry("peers' calls to seeds", kills("calls-between-peers-without-deadline"), lists, []linkKind{pieces, seeding, sources}, SpecTimeout(harness.Spec)),
		Entry("pieces", kills("origin-never-asked"), pieces, []linkKind{seeding, sources}, SpecTimeout(harness.Spec)),
		Entry("what supernode and seeds say to each other", kills("lost-supernode-never-returned-to"), seeding, []linkKind{sources, signalling}, SpecTimeout(harness.Spec)),
		Entry("seeds' requests to the origin", kills("origin-never-asked"), sources, []linkKind{signalling, neighbours}, SpecTimeout(harness.Spec)),
	)
})
