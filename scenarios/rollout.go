package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// A release is put on one node after the other while the rest goes on downloading; a bad
// one harms the node that it is put on alone, and is taken back the same way.
var _ = Describe("A release", versions, func() {
	// Seen red: with a supernode that does not take the release before its own.
	It("put on one peer after the other is shared in by those before and after it all the while", kills("right-minor-refused"), needs("previous"), func(ctx SpecContext) {
		const originRate = 1 << 20 // bytes/s: each file takes a second, as a replacement does
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 2, 4).Released(topology.Previous, "peer-1", "peer-2", "peer-3", "peer-4").OriginLimited(originRate))

		for i, peer := range bed.Peers() {
			By("upgrading " + peer.Name + " while the others download")
			file, rest := fixtures.Fresh(i), others(bed.Peers(), peer)
			var downloads []*workload.Download
			for _, other := range rest {
				downloads = append(downloads, bed.Download(ctx, other, file))
			}
			peer.Release = topology.Stable
			bed.Replace(ctx, peer)
			for n, d := range downloads {
				Expect(d.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()), rest[n].Name)
			}
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
			Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		}
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a supernode that takes any major, the bad release is not refused; with a search that
	// ends at the first seed, files come from the origin while it is a bad one.
	DescribeTable("that is a bad one is refused, costs no file, and is taken back:", needs("next-major"), func(ctx SpecContext, on string, itself workloadOf) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		node, everybody := bed.Node(on), topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("putting a release on a node that nobody there speaks with")
		node.Release = topology.NextMajor
		bed.Replace(ctx, node)
		Eventually(ctx, bed.Diagnoses(node)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(diagnosis("register", "supernode-1:8002", "version mismatch")))
		Expect(bed.Members(ctx)).To(ConsistOf(without(everybody, on)))

		By("downloading on it, if it is a peer, and on another")
		itself(ctx, bed, node)
		Expect(bed.Download(ctx, bed.Node("peer-3"), fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))

		By("taking it back")
		node.Release = topology.Stable
		bed.Replace(ctx, node)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Eventually(ctx, fresh(bed, bed.Node("peer-1"))).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("on a peer", kills("wrong-major-accepted"), "peer-1", workloadOf(func(ctx SpecContext, bed *harness.Bed, node topology.Node) {
			Expect(bed.Download(ctx, node, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromOrigin()))
		}), SpecTimeout(harness.Spec)),
		Entry("on the primary seed", kills("next-seed-never-asked"), needs("seed-order"), "seed-1", workloadOf(func(SpecContext, *harness.Bed, topology.Node) {}), SpecTimeout(harness.Spec)),
	)
})

// workloadOf is what a node is asked for while a bad release is on it.
type workloadOf func(ctx SpecContext, bed *harness.Bed, node topology.Node)
