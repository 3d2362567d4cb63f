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

// Troubles seldom come alone. Two at once cost no more than their sum: files arrive, and
// all is well when both are over.
var _ = Describe("Two troubles at once", combined, func() {
	// A release that does not register again, as 2.1.0, is in once it is restarted: that is all
	// that it can promise, and so all that is asked of it.
	// Seen red: with a supernode that takes no neighbouring release.
	DescribeTable("other releases, and a bad way to the supernode:", kills("right-minor-refused"), needs("previous"), needs("next"), func(ctx SpecContext, trouble func(fault.Links) fault.Fault) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 3).Released(topology.Next, "peer-1").Released(topology.Previous, "peer-2"))
		newer, older, file := bed.Node("peer-1"), bed.Node("peer-2"), fixtures.Layer1M

		By("spoiling the way of a newer and of an older peer, and downloading on both and on a third")
		spoilt := bed.Inject(ctx, trouble(fault.From(newer, older).To(bed.Supernodes()...).Port(8002)))
		one, two := bed.Download(ctx, newer, file), bed.Download(ctx, older, file)
		Expect(one.Wait(ctx)).To(judge.BeIntact(file))
		Expect(two.Wait(ctx)).To(judge.BeIntact(file))
		Expect(bed.Download(ctx, bed.Node("peer-3"), file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))

		By("mending it, and restarting the older one")
		spoilt.Heal(ctx)
		bed.Replace(ctx, older)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElements(newer.Name, older.Name))
		Eventually(ctx, fresh(bed, newer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
		Expect(bed.Download(ctx, older, fixtures.Fresh(100)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(100)), judge.ComeFromSwarm()))
	},
		Entry("closed", func(l fault.Links) fault.Fault { return fault.Drop{Links: l} }, SpecTimeout(harness.Spec)),
		Entry("losing a tenth of the packets", func(l fault.Links) fault.Fault { return fault.Loss{Links: l, Percent: 10} }, SpecTimeout(harness.Spec)),
		Entry("long", func(l fault.Links) fault.Fault { return fault.Delay{Links: l, By: 300 * time.Millisecond} }, SpecTimeout(harness.Spec)),
		Entry("swallowing full packets", func(l fault.Links) fault.Fault { return fault.MTU{Links: l, Bytes: vpnMTU} }, SpecTimeout(harness.Spec)),
		Entry("stalling after each greeting", func(l fault.Links) fault.Fault { return fault.Stall{Links: l, After: greeting} }, SpecTimeout(harness.Spec)),
		Entry("half open", func(l fault.Links) fault.Fault { return fault.HalfOpen{Links: l} }, SpecTimeout(harness.Spec)),
		Entry("spoiling packets", func(l fault.Links) fault.Fault { return fault.Corrupt{Links: l, Percent: 5} }, SpecTimeout(harness.Spec)),
		Entry("refused now and then", func(l fault.Links) fault.Fault {
			return fault.Flap{Of: fault.Refuse{Links: l}, Period: flapPeriod, Duty: 0.5}
		}, SpecTimeout(harness.Spec)),
		Entry("flapping", func(l fault.Links) fault.Fault {
			return fault.Flap{Of: fault.Drop{Links: l}, Period: flapPeriod, Duty: 0.5}
		}, SpecTimeout(harness.Spec)),
	)

	// Seen red: with a failed piece that ends the download, the file comes from the origin.
	It("one seed behind a black hole, and the other on a link that flaps, do not keep a file away", kills("one-failed-piece-ends-all"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer, file := bed.Peers()[0], fixtures.Layer16M

		By("bringing a file to another peer, and leaving that one no time to bring everything before troubles show")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))
		const rate = 800_000 // bytes/s over each of five connections: the file takes 4 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.Peers()[1]).Port(65002), BytesPerSecond: rate, Direction: fault.Downstream})

		By("swallowing full packets from one seed, and letting the way to both flap, one way")
		bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(bed.SeedAtWork(ctx)).Port(65002), Bytes: vpnMTU, Direction: fault.Downstream})
		bed.Inject(ctx, fault.Flap{
			Of:     fault.Drop{Links: fault.From(peer).To(bed.Seeds()...).Port(65002), Direction: fault.Upstream},
			Period: flapPeriod, Duty: 0.5,
		})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromPeers()))
		Expect(bed.Members(ctx)).To(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a search for seeds that ends at the first, the other peer's file comes from the origin.
	It("the primary seed away, and no descriptors left on a peer, cost neither that peer nor others their files", kills("next-seed-never-asked"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		sick, well := bed.Peers()[0], bed.Peers()[1]

		By("taking the primary seed away, and a peer's descriptors but for a few")
		away := bed.Inject(ctx, fault.Unreachable{Nodes: bed.Seeds()[:1], How: fault.Dropped})
		const few = 4 // to spare: not enough for as many connections as a download has
		short := bed.Inject(ctx, fault.FDLimit{Nodes: bed.Peers()[:1], Spare: few})

		By("downloading on it and on another")
		Expect(bed.Download(ctx, sick, fixtures.Layer4M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer4M))
		Expect(bed.Download(ctx, well, fixtures.Fresh(100)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(100)), judge.ComeFromSwarm()))

		By("giving both back")
		short.Heal(ctx)
		away.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
		Eventually(ctx, fresh(bed, sick)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))
})
