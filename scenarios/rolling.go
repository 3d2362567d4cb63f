package scenarios

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// slowOrigin makes a download of 16 MiB last so long that nodes can be replaced in the
// middle of it, one after the other: 16 s, in bytes per second.
const slowOrigin = 1 << 20

// replacement is one step of a rollout: a node, and the release that it runs from then on.
type replacement struct{ node, release string }

// slowWay is what one connection of the watched peer carries, in bytes per second: with
// eight at once it takes 64 MiB in 16 s, from all of its parents.
const slowWay = 500_000

// A rollout that replaces one node after the other, each counted again before the next,
// and keeps the seeds, interrupts no download: a peer that can turn to another parent
// loses parents as they are replaced, and goes on. A release that cannot, as 2.1.0, fails
// a download whose parent is replaced, by design, in either direction: what keeps it going
// is that its parents are left alone.
var _ = Describe("A rolling replacement in the middle of a download", versions, func() {
	// Seen red: with a peer that takes a list of pieces which breaks off for the end; with peer-1 at 2.1.0, it fails: "parent peer-2 lost in the middle of the download".
	DescribeTable("does not interrupt it", long, kills("broken-list-ends-all"), func(ctx SpecContext, from string, steps ...replacement) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().Located("b", "peer-1", "peer-2", "peer-3").Released(from, "peer-2", "peer-3"))
		// Nobody promises that a peer of 2.1.0 which a busy machine starves for a lease comes back.
		file, spared := fixtures.Layer64M, append(topology.Names(bed.Seeds()), "peer-1")

		By("bringing the file to the peers that will be replaced, who are nearer than the seeds")
		for _, peer := range bed.Peers()[1:] { // again and again: 2.1.0 fails a download when a busy machine holds a seed up
			Eventually(ctx, func(ctx context.Context) (history.Download, error) {
				return bed.Download(ctx, peer, file).Wait(ctx)
			}).WithTimeout(bed.Bounds().Rejoin).Should(judge.BeIntact(file))
		}

		By("getting well into a download from them")
		watched, parents := bed.Node("peer-1"), append(bed.Seeds(), bed.Peers()[1:]...)
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(watched).To(parents...).Port(65002), BytesPerSecond: slowWay, Direction: fault.Downstream})
		download := bed.Download(ctx, watched, file)
		for _, parent := range bed.Peers()[1:] {
			Eventually(ctx, bed.Served(parent)).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", fixtures.Layer4M.Size)) // whole pieces of 1 MiB, several at once
		}

		By("replacing one after the other in the middle of it")
		for _, step := range steps {
			peer := bed.Node(step.node)
			peer.Release = step.release
			// One that failed, or went to the origin for the rest, is no longer under way either.
			Expect(download.Record()).To(SatisfyAll(HaveField("Error", BeEmpty()), HaveField("From.Origin", BeNumerically("<", file.Size/10))))
			bed.UnderWay(download)
			bed.Replace(ctx, peer)
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name), "not counted in its new release")
		}
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))

		By("going on to share")
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElements(spared))
		Eventually(ctx, fresh(bed, watched)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("up", needs("previous"), topology.Previous,
			replacement{"peer-2", topology.Stable}, replacement{"peer-3", topology.Stable}, SpecTimeout(harness.Spec)),
		Entry("down", needs("previous"), topology.Stable,
			replacement{"peer-2", topology.Previous}, replacement{"peer-3", topology.Previous}, SpecTimeout(harness.Spec)),
		Entry("half-way up and back", needs("previous"), topology.Previous,
			replacement{"peer-2", topology.Stable}, replacement{"peer-2", topology.Previous}, SpecTimeout(harness.Spec)),
		Entry("to the next release", needs("next"), topology.Stable,
			replacement{"peer-2", topology.Next}, replacement{"peer-3", topology.Next}, SpecTimeout(harness.Spec)),
	)

	It("leaves a peer of the previous release alone as long as its parents stay", kills("right-minor-refused"), needs("previous"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().Released(topology.Previous, "peer-1", "peer-2", "peer-3").OriginLimited(slowOrigin))
		file := fixtures.Layer16M

		By("getting well into a download, from the seeds")
		download := bed.Download(ctx, bed.Node("peer-1"), file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.2))

		By("upgrading the others, who hold nothing of the file")
		for _, peer := range bed.Peers()[1:] {
			peer.Release = topology.Stable
			bed.UnderWay(download)
			bed.Replace(ctx, peer)
		}
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))
})
