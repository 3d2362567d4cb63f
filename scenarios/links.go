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
	}, all, roles(topology.Seed), judge.ComeFromSwarm()}
	lists = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()...).To(bed.Seeds()...).Port(65000)
	}, all, roles(topology.Peer), judge.ComeFromOrigin()}
	pieces = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()...).To(append(bed.Seeds(), bed.Peers()...)...).Port(65002)
	}, all, all, judge.ComeFromOrigin()}
	seeding = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.Between(bed.Supernodes(), bed.Seeds()).Port(8002, 65000)
	}, roles(topology.Peer), roles(topology.Peer), judge.ComeFromOrigin()}
	sources = linkKind{func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Seeds()...).To(bed.Origin())
	}, all, all, judge.ComeFromOrigin()}
)

type linkKind struct {
	of      func(*harness.Bed) fault.Links
	counted []topology.Role // by the supernode, under a cut
	known   []topology.Role // by a peer, under a cut
	source  types.GomegaMatcher
}

var all = roles(topology.Seed, topology.Peer)

func roles(r ...topology.Role) []topology.Role { return r }

var _ = Describe("Of the links between nodes", retry, needs("mesh"), func() {
	// Seen red: with what each mutant breaks; with the cut left out, by whom a peer knows or by the source.
	DescribeTable("one kind may be cut in one direction, then in the other:", func(ctx SpecContext, kind linkKind) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]
		next := fresh(bed, peer)
		for n, way := range []fault.Direction{fault.Upstream, fault.Downstream} {
			By("dropping what goes " + string(way))
			cut := bed.Inject(ctx, fault.Drop{Links: kind.of(bed), Direction: way})
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(named(bed, kind.counted)))
			Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(without(named(bed, kind.known), peer.Name)))

			By("downloading what nobody has")
			file := fixtures.Fresh(20 + n)
			Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), kind.source))

			By("letting it pass again")
			cut.Heal(ctx)
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(named(bed, all)))
			Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(without(named(bed, all), peer.Name)))
			Eventually(ctx, next).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
		}
	},
		Entry("peers' signalling to the supernode", signalling, SpecTimeout(harness.Spec)),
		Entry("peers' calls to each other", neighbours, SpecTimeout(harness.Spec)),
		Entry("peers' calls to seeds", lists, SpecTimeout(harness.Spec)),
		Entry("pieces", pieces, SpecTimeout(harness.Spec)),
		Entry("what supernode and seeds say to each other", seeding, SpecTimeout(harness.Spec)),
		Entry("seeds' requests to the origin", sources, SpecTimeout(harness.Spec)),
	)

	// Each pair stands once: the first kind is cut upstream, the other one downstream.
	DescribeTable("two kinds may be cut at once:", func(ctx SpecContext, kind linkKind, others []linkKind) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]
		next := fresh(bed, peer)
		for n, other := range others {
			By("cutting both, and downloading what nobody has")
			one := bed.Inject(ctx, fault.Drop{Links: kind.of(bed), Direction: fault.Upstream})
			two := bed.Inject(ctx, fault.Drop{Links: other.of(bed), Direction: fault.Downstream})
			file := fixtures.Fresh(20 + n)
			Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(judge.BeIntact(file))

			By("mending both")
			one.Heal(ctx)
			two.Heal(ctx)
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(named(bed, all)))
			Eventually(ctx, next).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
		}
	},
		Entry("signalling and others", signalling, []linkKind{neighbours, lists, pieces}, SpecTimeout(harness.Spec)),
		Entry("calls between peers and others", neighbours, []linkKind{lists, pieces, seeding}, SpecTimeout(harness.Spec)),
		Entry("calls to seeds and others", lists, []linkKind{pieces, seeding, sources}, SpecTimeout(harness.Spec)),
		Entry("pieces and others", pieces, []linkKind{seeding, sources}, SpecTimeout(harness.Spec)),
		Entry("seeding and others", seeding, []linkKind{sources, signalling}, SpecTimeout(harness.Spec)),
		Entry("sources and others", sources, []linkKind{signalling, neighbours}, SpecTimeout(harness.Spec)),
	)
})

func named(bed *harness.Bed, roles []topology.Role) []string {
	var names []string
	for _, r := range roles {
		names = append(names, topology.Names(bed.Of(r))...)
	}
	return names
}
