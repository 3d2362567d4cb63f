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

// What a peer has fetched is not lost with its process: it goes on where it was, and
// has for others what it had.
var _ = Describe("A restarted peer", storage, needs("resume"), func() {
	// Seen red: with a store that is cleared at start, as in 2.1.0, all of it comes again.
	It("goes on where its download was", kills("pieces-lost-on-restart"), func(ctx SpecContext) {
		const originRate = 2 << 20 // bytes/s: 16 MiB take 8 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().OriginLimited(originRate))
		// Asked for by another node, which lives on, through the peer's proxy.
		peer, client, file := bed.Peers()[0], bed.Peers()[1], fixtures.Layer16M

		By("getting halfway through a download")
		broken := bed.DownloadVia(ctx, client, peer, proxyPort, file)
		Eventually(ctx, broken.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.5))

		By("restarting the peer")
		bed.UnderWay(broken)
		bed.Inject(ctx, fault.Restart{Nodes: bed.Peers()[:1]})
		Expect(broken.Wait(ctx)).NotTo(judge.BeIntact(file))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))

		By("asking for the file again, and counting what came once more")
		again, err := bed.DownloadVia(ctx, client, peer, proxyPort, file).Wait(ctx)
		Expect(again, err).To(judge.BeIntact(file))
		// Half of it was there; headers, and what came within the last record, are a few more.
		Expect(again.From.Total()).To(BeNumerically("<", file.Size*6/10))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a store that is cleared at start, seeds serve it.
	It("serves what it had", kills("rejoin-announces-wanted-only", "pieces-lost-on-restart"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().Located("b", "peer-1", "peer-2"))
		file := fixtures.Layer4M

		By("bringing the file to a peer far from the seeds")
		Expect(bed.Download(ctx, bed.Node("peer-1"), file).Wait(ctx)).To(judge.BeIntact(file))

		By("restarting the peer")
		bed.Inject(ctx, fault.Restart{Nodes: bed.Peers()[:1]})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement("peer-1"))
		served, err := bed.Served(bed.Node("peer-1"))(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading on a peer near it")
		Expect(bed.Download(ctx, bed.Node("peer-2"), file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Served(bed.Node("peer-1"))(ctx)).To(BeNumerically(">", served))
	}, SpecTimeout(harness.Spec))
})
