package scenarios

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// Who wants a file takes it from those who are near, by their place and by the time that it
// takes to ask them.
var _ = Describe("A file in the swarm", sharing, func() {
	// Seen red: with the nearness of parents turned round, the far ones give the most.
	It("is taken from the nearest who have it", kills("far-parents-first"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 4).Located("b", "peer-1", "peer-2"))
		near, peer, file := bed.Node("peer-2"), bed.Node("peer-1"), fixtures.Layer16M

		By("bringing it to a peer near by, and to two far away, all with ways of one width")
		holders := others(bed.Peers(), peer)
		for _, holder := range holders {
			Expect(bed.Download(ctx, holder, file).Wait(ctx)).To(judge.BeIntact(file))
		}
		const rate = 800_000 // bytes/s over each connection: who is asked for more gives more
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(append(bed.Seeds(), holders...)...).Port(65002), BytesPerSecond: rate, Direction: fault.Downstream})
		before, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		after, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		moved := after.Since(before)
		evenly := file.Size / int64(len(bed.Seeds())+len(holders))
		Expect(given(moved, near, peer)).To(BeNumerically(">", evenly), "what the near one gave, of which each would give as much")
	}, SpecTimeout(harness.Spec))

	// Seen red: with round trips that count for nothing, the far one gives as much as others.
	It("is not taken from one in the same place to whom the way is long, while others have it", kills("round-trip-to-oneself"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 5)) // with the seed, one parent more than a child is told of
		peer, far, file := bed.Node("peer-1"), bed.Node("peer-3"), fixtures.Layer16M

		By("making a peer's way to another long")
		const long = 300 * time.Millisecond // to and fro
		bed.Inject(ctx, fault.Delay{Links: fault.From(peer).To(far).Port(65000), By: long / 2})

		By("bringing the file to all others, and leaving them no time to give all of it before the far one is heard")
		for _, holder := range others(bed.Peers(), peer) {
			Expect(bed.Download(ctx, holder, file).Wait(ctx)).To(judge.BeIntact(file))
		}
		const thin = 500_000 // bytes/s over each connection: the file takes 4 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(append(bed.Seeds(), others(bed.Peers(), peer)...)...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		before, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		after, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(given(after.Since(before), far, peer)).To(BeNumerically("<", file.Size/20), "what the far one gave")
	}, SpecTimeout(harness.Spec))

	// Seen red: with peers that do not tell what they hold, the seed gives all of it again.
	It("that a peer near by has is given by it", needs("seed-order"), kills("holdings-not-announced"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 2).Located("b", "peer-1", "peer-2"))
		file := fixtures.Layer16M

		By("bringing it to one of two peers far from the seed")
		Expect(bed.Download(ctx, bed.Peers()[0], file).Wait(ctx)).To(judge.BeIntact(file))
		before, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading on the other")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		after, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(given(after.Since(before), bed.Peers()[0], bed.Peers()[1])).To(BeNumerically(">", file.Size/4), "what the peer near by gave")
	}, SpecTimeout(harness.Spec))
})
