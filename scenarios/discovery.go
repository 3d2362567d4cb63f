package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// A peer that can reach its supernode joins, and everybody knows everybody.
var _ = Describe("Discovery", discovery, func() {
	// Seen red: with links to no more than two other peers, two are missing.
	It("lets every peer know every other", kills("two-links-at-most", "first-list-for-ever"), smoke, needs("mesh"), func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Small())
		all := append(topology.Names(bed.Seeds()), topology.Names(bed.Peers())...)

		By("starting, and counting on the supernode")
		bed.Open(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Ready).Should(ConsistOf(all))

		By("asking each peer whom it knows")
		for _, peer := range append(bed.Seeds(), bed.Peers()...) {
			Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(without(all, peer.Name)), "whom "+peer.Name+" knows")
		}
	}, SpecTimeout(harness.Spec))

	// Seen red: with lists that are sent again only when they grow or shrink, nobody calls it there.
	It("tells the others where a peer is that comes back elsewhere", kills("peer-list-compared-by-length", "moved-peer-called-at-its-old-address"), needs("mesh"), func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Of(1, 1, 4).Called("peer-3", "peer-4"))
		one, there, elsewhere := bed.Node("peer-1"), bed.Node("peer-3"), bed.Node("peer-4")

		By("starting a swarm")
		bed.Open(ctx, others(bed.Of(topology.Supernode, topology.Seed, topology.Peer, topology.Origin), elsewhere)...)
		bed.AwaitReady(ctx, elsewhere)
		Eventually(ctx, bed.Known(one)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(there.Name))

		By("starting a peer elsewhere under its name, and killing it where it was")
		bed.Open(ctx, elsewhere)
		Eventually(ctx, bed.Carries(bed.Node("peer-2"), elsewhere, 65002, 1)).WithTimeout(bed.Bounds().Notice).Should(BeTrue(), "its port answers") // not to whom is watched
		bed.Inject(ctx, fault.Kill{Nodes: []topology.Node{there}})
		Eventually(ctx, func(ctx SpecContext) (int64, error) {
			book, err := bed.Ledger(ctx)
			return given(book, elsewhere, one), err
		}).WithTimeout(bed.Bounds().Rejoin).Should(BeNumerically(">", 0), "what it answered there")
	}, SpecTimeout(harness.Spec))

	// Seen red: with those named by the supernode taken for connected, nothing changes; with links
	// that are not tried again, or calls that end never, they stay apart.
	DescribeTable("tells a peer which others answer", kills("lists-believed", "links-never-mended"), needs("mesh"), func(ctx SpecContext, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		one, two := bed.Peers()[0], bed.Peers()[1]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))
		Eventually(ctx, bed.Known(one)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(two.Name))

		By("closing the ways between two peers")
		cut := bed.Inject(ctx, fault.BlockPort{Links: fault.Between([]topology.Node{one}, []topology.Node{two}).Port(65000), How: how})
		Eventually(ctx, bed.Known(one)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(without(without(everybody, one.Name), two.Name)), "known though it does not answer")
		Expect(bed.Members(ctx)).To(ConsistOf(everybody))

		By("opening them again")
		cut.Heal(ctx)
		Eventually(ctx, bed.Known(one)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(two.Name), "not known again")
	},
		Entry("dropped", kills("peer-count-with-silent-hosts", "calls-between-peers-without-deadline"), fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("refused", fault.Refused, SpecTimeout(harness.Spec)),
	)

	It("lets the supernode count every peer", kills("seeds-not-counted"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with both seeds triggered for each file, the origin serves it almost twice.
	It("brings a file to every peer, from the origin about once", kills("every-seed-asked"), smoke, func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		file := fixtures.Layer16M

		By("downloading on all peers at the same moment")
		var downloads []*workload.Download
		for _, peer := range bed.Peers() {
			downloads = append(downloads, bed.Download(ctx, peer, file))
		}
		for _, d := range downloads {
			Expect(d.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		}

		By("reading in the ledger what the origin served")
		Expect(bed.Served(bed.Origin())(ctx)).To(BeNumerically("~", file.Size, file.Size/10), "what the origin served")
	}, SpecTimeout(harness.Spec))
})

// without returns names less one.
func without(names []string, name string) []string {
	var rest []string
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}
