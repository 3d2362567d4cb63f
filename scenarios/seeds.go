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

// A seed that is away costs nobody a file: the next seed takes over, and only when all
// are away do peers go to the origin, sparingly.
var _ = Describe("An unreachable seed", seeds, func() {
	// Seen red: without seed fallback, as in 2.1.0, the file comes from the origin.
	DescribeTable("away before the start is replaced by the backup", kills("next-seed-never-asked"), func(ctx SpecContext, how fault.How) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Small())
		primary, backup := bed.Seeds()[0], bed.Seeds()[1]

		By("taking the primary seed away, then starting the swarm")
		bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{primary}, How: how})
		bed.Open(ctx)
		bed.AwaitReady(ctx, primary)

		By("downloading")
		for _, peer := range bed.Peers() {
			Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		}
		Expect(bed.Served(primary)(ctx)).To(BeZero())
		Expect(bed.Served(backup)(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))
	},
		Entry("dropped", smoke, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("refused", fault.Refused, SpecTimeout(harness.Spec)),
		Entry("killed", fault.Killed, SpecTimeout(harness.Spec)),
	)

	// Seen red: without seed fallback, as in 2.1.0, the download fails and names the lost parent.
	DescribeTable("lost in the middle of a download does not stop it", kills("lost-parent-ends-all"), func(ctx SpecContext, how fault.How) {
		const originRate = 3 << 20 // bytes/s: 16 MiB take about 5 s, time enough to act halfway
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		file := fixtures.Layer16M

		By("getting well into a download")
		download := bed.Download(ctx, bed.Peers()[0], file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.2))

		By("taking the seed that serves it away")
		lost := bed.SeedAtWork(ctx)
		bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{lost}, How: how})
		bed.UnderWay(download)

		By("finishing from the other")
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Served(others(bed.Seeds(), lost)...)(ctx)).To(BeNumerically(">", 0))
	},
		Entry("dropped", fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("refused", fault.Refused, SpecTimeout(harness.Spec)),
		Entry("paused", fault.Paused, SpecTimeout(harness.Spec)),
		Entry("killed", fault.Killed, SpecTimeout(harness.Spec)),
	)

	// Seen red: with a silence that is bounded only before its first word, it is told 10 s later.
	It("that falls silent in the middle of its work is told at once", kills("seed-silent-after-its-first-word"), needs("causes"), func(ctx SpecContext) {
		const originRate = 3 << 20 // bytes/s: 16 MiB take about 5 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		file := fixtures.Layer16M

		By("getting well into a download, and pausing the seed that serves it")
		download := bed.Download(ctx, bed.Peers()[0], file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.2))
		silent := bed.SeedAtWork(ctx)
		bed.UnderWay(download)
		bed.Inject(ctx, fault.Pause{Nodes: []topology.Node{silent}})

		By("reading in the supernode's log what became of it")
		Eventually(ctx, bed.Diagnoses(bed.Supernodes()[0])).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis("seed", silent.Name+":65000", "stalled")), "what its log says")
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: without seed fallback, as in 2.1.0, the file comes from the origin.
	It("paused, so that it accepts and never answers, is replaced by the backup", kills("next-seed-never-asked"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())

		By("pausing the primary seed")
		bed.Inject(ctx, fault.Unreachable{Nodes: bed.Seeds()[:1], How: fault.Paused})

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(bed.Seeds()[1])(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))
	}, SpecTimeout(harness.Spec))

	// Seen red: without seed fallback, as in 2.1.0, the file comes from the origin.
	It("whose address is wrong is passed over", kills("next-seed-never-asked", "log-without-target"), needs("wrong-seed"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().SeededBy("no-such-seed:65000", "seed-2:65000"))

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(bed.Seeds()[1])(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))

		By("reading in the supernode's log what was wrong")
		Eventually(ctx, bed.Diagnoses(bed.Supernodes()[0])).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis("seed", "no-such-seed:65000", "no such host")), "what its log says")
	}, SpecTimeout(harness.Spec))

	// Seen red: with a search for seeds that ends at the first that nobody can reach.
	It("that is counted, and behind a closed port, is passed over", needs("seed-order"), kills("unreachable-seed-ends-the-search"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		primary, backup := bed.Seeds()[0], bed.Seeds()[1]

		By("closing the port of the primary seed that is checked")
		bed.Inject(ctx, fault.BlockPort{Links: fault.Into(primary).Port(65001), How: fault.Refused})
		Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Notice).ShouldNot(ContainElement(primary.Name))
		Expect(bed.Members(ctx)).To(ContainElement(primary.Name))

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(backup)(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))
	}, SpecTimeout(harness.Spec))

	// Seen red: with 256 KiB instead of 4 MiB a request, the origin is asked too often.
	It("with no other left sends peers to the origin, sparingly", kills("origin-never-asked", "origin-stampeded", "asks-origin-in-crumbs"), func(ctx SpecContext) {
		const originRate = 2 << 20 // bytes/s: the first who goes there is still at it when the others are told
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		file := fixtures.Layer4M // one request to the origin, if nobody asks for what another does

		By("taking all seeds away")
		bed.Inject(ctx, fault.Unreachable{Nodes: bed.Seeds(), How: fault.Dropped})
		before, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading on every peer at the same moment")
		var downloads []*workload.Download
		for _, peer := range bed.Peers() {
			downloads = append(downloads, bed.Download(ctx, peer, file))
		}
		for _, d := range downloads {
			Expect(d.Wait(ctx)).To(judge.BeIntact(file))
		}

		By("counting what the origin was asked, over however few connections, and what it gave")
		budget := bed.Bounds().OriginRequest * (file.Size/bed.Bounds().OriginSpan + 2)
		after, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		fetching := min(bed.Bounds().OriginPeers, int64(len(downloads))) + 1 // who may, and one astray
		Expect(asked(after.Since(before), bed.Origin())).To(BeNumerically("<=", fetching*budget))
		Expect(bed.Served(bed.Origin())(ctx)).To(BeNumerically("<", fetching*file.Size))
	}, SpecTimeout(harness.Spec))
})
