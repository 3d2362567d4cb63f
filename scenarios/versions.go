package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// Minor releases speak to each other; a major that cannot is refused, and told why.
var _ = Describe("Version skew", versions, func() {
	// Seen red: with a 2.2.1 that accepts protocol 2.2 only, the others stay out.
	DescribeTable("between minor releases does not show", kills("right-minor-refused"), needs("previous"), func(ctx SpecContext, t topology.Topology) {
		bed := harness.Start(ctx, GinkgoTB(), t)
		file := fixtures.Layer4M
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))

		By("downloading on every peer")
		for _, peer := range bed.Peers() {
			Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		}

		By("reading in the ledger that pieces were shared")
		Expect(bed.Served(bed.Origin())(ctx)).To(BeNumerically("~", file.Size, file.Size/10))
	},
		Entry("of one old peer", smoke, topology.Tiny().Released(topology.Previous, "peer-1"), SpecTimeout(harness.Spec)),
		Entry("of all old peers and seeds under a new supernode", topology.Tiny().Released(topology.Previous).Released(topology.Stable, "supernode-1"), SpecTimeout(harness.Spec)),
		Entry("of all new peers under an old supernode", topology.Tiny().Released(topology.Previous, "supernode-1"), SpecTimeout(harness.Spec)),
		Entry("of one newer peer", needs("next"), topology.Tiny().Released(topology.Next, "peer-1"), SpecTimeout(harness.Spec)),
		Entry("of all newer peers and seeds under a supernode", needs("next"), topology.Tiny().Released(topology.Next).Released(topology.Stable, "supernode-1"), SpecTimeout(harness.Spec)),
		Entry("of all peers under a newer supernode", needs("next"), topology.Tiny().Released(topology.Next, "supernode-1"), SpecTimeout(harness.Spec)),
		Entry("of older and newer peers side by side, with one between that speaks to both", needs("next"), topology.Small().Released(topology.Previous, "seed-1", "peer-2").Released(topology.Next, "seed-2", "peer-3"), SpecTimeout(harness.Spec)),
		Entry("of a mixed swarm", topology.Tiny().Released(topology.Previous, "seed-1", "peer-2"), SpecTimeout(harness.Spec)),
	)

	// Seen red: with an error that leaves out the releases, the log does not name them.
	DescribeTable("of a major release keeps the peer out with a clear error, until the supernode speaks with it", kills("wrong-major-accepted"), needs("next-major"), func(ctx SpecContext, t topology.Topology, odd string, members []string) {
		bed := harness.Lay(ctx, GinkgoTB(), t)
		peer := bed.Node(odd)

		By("starting")
		bed.Open(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Ready).Should(ConsistOf(members))

		By("reading the peer's log")
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(SatisfyAll(
			diagnosis("register", "supernode-1:8002", "version mismatch"),
			HaveField("Error", SatisfyAll(ContainSubstring("2.2.1"), ContainSubstring("3.0.0"))),
		)))

		By("seeing it still out, and still fetching its file, from the origin")
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromOrigin()))
		Expect(bed.Members(ctx)).To(ConsistOf(members))

		By("replacing the supernode by one of the peer's release")
		supernode := bed.Supernodes()[0]
		supernode.Release = peer.Release
		bed.Replace(ctx, supernode)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(odd), "still out")
	},
		Entry("new peer, old supernode", smoke, topology.Tiny().Released(topology.NextMajor, "peer-1"), "peer-1", []string{"seed-1", "peer-2"}, SpecTimeout(harness.Spec)),
		Entry("old peer, new supernode", kills("refused-version-gives-up"), topology.Tiny().Released(topology.NextMajor).Released(topology.Stable, "peer-2"), "peer-2", []string{"seed-1", "peer-1"}, SpecTimeout(harness.Spec)),
	)
})
