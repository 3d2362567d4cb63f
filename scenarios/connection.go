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

// The swarm rests on connections that are to last. Where the network does not let them,
// a peer makes a new one, is counted, and gets its files from the swarm all the same.
var _ = Describe("A long connection to the supernode", retry, func() {
	to8002 := func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()[0]).To(bed.Supernodes()...).Port(8002)
	}

	lost := diagnosis("announce", "supernode-1:8002", "")
	// losses is how often a peer's log says since the injection that it lost the supernode; Dragonfly's seldom says so.
	losses := func(ctx SpecContext, bed *harness.Bed, peer topology.Node) int {
		told, err := bed.Diagnoses(peer)(ctx)
		Expect(err).NotTo(HaveOccurred())
		return matching(lost)(told)
	}

	// Seen red: with a peer that bears any silence, the log has no stall.
	It("that a firewall forgets again and again is given up and made anew each time", kills("silence-never-noticed"), needs("leases"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("letting what the supernode says vanish, on each connection from its 30th packet on")
		const alive = 30 // packets: a registration, and heartbeats for about two seconds, in which a download begins on a busy machine, too
		// 65003, which nobody uses, is there for the proof: it wants long answers.
		forgetful := fault.From(peer).To(bed.Supernodes()[0], bed.Seeds()[0]).Port(8002, 65003)
		bed.Inject(ctx, fault.DropList{Links: forgetful, Packets: fault.Range(alive, 200), Direction: fault.Downstream})
		stalled := diagnosis("announce", "supernode-1:8002", "stalled")
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).Should(ContainElements(stalled))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))

		By("downloading from the swarm, while it goes on")
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(2 * bed.Bounds().Notice).Should(ContainElements(stalled, stalled))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: without pauses between attempts there are too many.
	It("that is reset every few seconds is made anew each time, after few attempts", kills("no-backoff"), needs("paced-retry"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("resetting a peer's connection again and again")
		const period, share, times = 5 * time.Second, 0.2, 3 // a second of it, and three times seen
		flapping := bed.Inject(ctx, fault.Flap{Of: fault.Reset{Links: to8002(bed)}, Period: period, Duty: share})
		next := fresh(bed, peer)
		for n := range times {
			Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(period + bed.Bounds().Notice).Should(WithTransform(matching(lost), BeNumerically(">", n)))
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
			Eventually(ctx, next).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
		}

		By("counting the attempts")
		tried, err := bed.Diagnoses(peer)(ctx)
		Expect(err).NotTo(HaveOccurred())
		const most = 12 // in a second, with pauses that grow from a tenth of one: six or so
		Expect(matching(diagnosis("register", "", ""))(tried)).To(BeNumerically("<=", most*(times+1)))

		By("letting it be")
		flapping.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
		Eventually(ctx, next).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	// Seen red: slow, with a patience of 200 ms for the supernode; lossy, with connections that are
	// given up as soon as something is sent again.
	DescribeTable("that is poor is kept:", func(ctx SpecContext, poor func(fault.Links) fault.Fault) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, everybody := bed.Peers()[0], topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("spoiling the line, downloading, and counting")
		const many = 12 // files, of which each is some words: of several hundred packets one in a hundred is met
		bed.Inject(ctx, poor(to8002(bed)))
		Expect(bed.Download(ctx, peer, fixtures.Layer64M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer64M), judge.ComeFromSwarm()))
		for n := range many {
			Expect(bed.Download(ctx, peer, fixtures.Fresh(n)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), judge.ComeFromSwarm()))
		}
		Consistently(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(everybody))
		Expect(losses(ctx, bed, peer)).To(BeNumerically("<=", losses(ctx, bed, bed.Peers()[1])), "how the connection fared, beside that of a peer on a good line")
	},
		Entry("slow and unsteady both ways", kills("slow-taken-for-dead"), func(l fault.Links) fault.Fault {
			return fault.Delay{Links: l, By: 300 * time.Millisecond, Jitter: 100 * time.Millisecond} // between continents, by radio
		}, SpecTimeout(harness.Spec)),
		Entry("one packet of a hundred lost", kills("lost-packet-taken-for-dead"), func(l fault.Links) fault.Fault {
			return fault.Loss{Links: l, Percent: 1}
		}, SpecTimeout(harness.Spec)),
	)

	// Seen red: at 80 % instead of 10 %, files come from the origin; with connections that are
	// given up as soon as something is sent again, it is lost too often.
	It("that loses one packet of ten is kept, or made anew in time", kills("lost-packet-taken-for-dead"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, everybody := bed.Peers()[0], topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("losing packets both ways, downloading, and counting again and again")
		bed.Inject(ctx, fault.Loss{Links: to8002(bed), Percent: 10})
		Expect(bed.Download(ctx, peer, fixtures.Layer64M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer64M))
		next := fresh(bed, peer)
		for range 6 {
			Eventually(ctx, next).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		}
		const seldom = 1 // time: a heartbeat and all that repeats it within a lease are hardly ever lost together
		Expect(losses(ctx, bed, peer)).To(BeNumerically("<=", losses(ctx, bed, bed.Peers()[1])+seldom), "how the connection fared, beside that of a peer on a good line")
	}, SpecTimeout(harness.Spec))
})
