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

// Those who have pieces give them to those who want them, several at once, and only what
// is what it says.
var _ = Describe("A file in the swarm", sharing, func() {
	// Seen red: with children that are all told of the same parent, and of no other.
	It("is taken from several at the same time", kills("one-parent-for-all"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 4))
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("bringing it to all peers but one")
		for _, holder := range bed.Peers()[1:] {
			Expect(bed.Download(ctx, holder, file).Wait(ctx)).To(judge.BeIntact(file))
		}
		holders := append(bed.Seeds(), bed.Peers()[1:]...)
		const leastPiece = 256 << 10 // bytes; an answer that says no is less
		const thin = 200_000         // bytes/s over each of eight connections: a piece takes 1.3 s, and the nearest has room for five
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(holders...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		before, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading, and looking who has given some when half of it is there")
		download := bed.Download(ctx, peer, file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">=", 0.5))
		after, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		givers, moved := []string{}, after.Since(before)
		for _, holder := range holders {
			if given(moved, holder, peer, 65002) > leastPiece/4 {
				givers = append(givers, holder.Name)
			}
		}
		Expect(len(givers)).To(BeNumerically(">", 1), "how many gave some: %v", givers)
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with peers that tell of their pieces only once they have them all.
	It("is given on by those who are still getting it, and only what they have", kills("offers-only-whole-files", "offers-what-it-does-not-have"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 3))
		file := fixtures.Layer16M

		By("thinning what the seed gives to each, and downloading on all peers at the same moment")
		const rate = 2_000_000 // bytes/s: the whole file would take 8 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(bed.Peers()...).To(bed.Seeds()...).Port(65002), BytesPerSecond: rate, Direction: fault.Downstream})
		var downloads []*workload.Download
		for _, peer := range bed.Peers() {
			downloads = append(downloads, bed.Download(ctx, peer, file))
		}
		for _, d := range downloads {
			Expect(d.Wait(ctx)).To(judge.BeIntact(file))
		}

		By("reading that no piece was asked of a peer that did not have it")
		for _, peer := range bed.Peers() {
			Expect(bed.Diagnoses(peer)(ctx)).NotTo(ContainElement(HaveField("Step", "piece")), "asked for a piece that was not there")
		}

		By("looking who gave what")
		for _, d := range downloads {
			Expect(d.Record()).To(judge.ComeFromSwarm())
		}
		Expect(bed.Served(bed.Peers()...)(ctx)).To(BeNumerically(">", file.Size/2), "what they gave each other") // of three times its size
	}, SpecTimeout(harness.Spec))

	// Seen red: with failures that count by their number, whoever they come from, the origin serves all.
	It("is given on by whom a single peer cannot reach", kills("one-child-blackballs-a-parent"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		sick, well := bed.Peers()[0], bed.Peers()[1]

		By("closing the way for pieces from the seeds to one peer, and letting it try")
		// Packets vanish, so that all downloads are at it before the first failure is told: who has failed is not
		// sent there again for a while. Of one file all pieces fail together, and count once.
		bed.Inject(ctx, fault.BlockPort{Links: fault.From(sick).To(bed.Seeds()...).Port(65002), How: fault.Dropped})
		var downloads []*workload.Download
		for n := range 6 {
			downloads = append(downloads, bed.Download(ctx, sick, fixtures.Fresh(n)))
		}
		for n, d := range downloads {
			Expect(d.Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(n)))
		}

		By("downloading what nobody has on another, before anybody forgets")
		Expect(bed.Download(ctx, well, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with two downloads of one file that know nothing of each other, it comes twice.
	It("wanted twice on one peer comes once", kills("downloads-not-joined"), needs("seed-order"), func(ctx SpecContext) {
		const originRate = 4 << 20 // bytes/s: 16 MiB take 4 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().OriginLimited(originRate))
		peer, file := bed.Peers()[0], fixtures.Layer16M

		By("downloading it twice at the same moment")
		one, two := bed.Download(ctx, peer, file), bed.Download(ctx, peer, file)
		Expect(one.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(two.Wait(ctx)).To(judge.BeIntact(file))
		all, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		var got int64
		for _, giver := range append(bed.Seeds(), append(bed.Peers(), bed.Origin())...) {
			got += given(all, giver, peer)
		}
		Expect(got).To(BeNumerically("~", file.Size, file.Size/10), "what came for both")
	}, SpecTimeout(harness.Spec))

	// Seen red: without the digest of pieces the whole file is refused; with parents that are
	// asked again after a corrupt piece, the log has one after the other.
	It("that a parent gives garbled is refused from it, and taken elsewhere", kills("piece-digests-skipped", "corrupt-parent-asked-again"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		seed, peer, file := bed.Seeds()[0], bed.Peers()[0], fixtures.Layer64M

		By("bringing it into the swarm, thinly, and garbling what one seed gives")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))
		// Over eight connections the file takes longer than the swarm remembers a failure, and no
		// piece of 1 MiB so long that there seems to be no progress.
		const thin = 1_200_000 // bytes/s over each of them: 7 s, and 0.9 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.Peers()[1], bed.Seeds()[1]).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		const every = 100_000 // bytes: each piece is hit
		bed.Inject(ctx, fault.Garble{Links: fault.From(peer).To(seed).Port(65002), Every: every})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		told, err := bed.Diagnoses(peer)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(told).To(ContainElement(diagnosis("piece", "seed-1:65002", "corrupt")))
		Expect(span(told, "corrupt")).To(BeNumerically("<", bed.Bounds().Notice/2), "asked again") // what was on its way together
	}, SpecTimeout(harness.Spec))
})
