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

// pathMTU is what still passes a black hole, in bytes: a tunnel in a tunnel.
const pathMTU = 1200

// A path that swallows full packets lets a peer register and then starves it. It must
// not starve the download.
var _ = Describe("An MTU black hole", mtu, func() {
	// Seen red: with failed pieces taken from the origin at once, the other peer serves too little.
	It("between a peer and one parent makes it take the pieces elsewhere", kills("one-failed-piece-ends-all"), smoke, func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer16M

		By("bringing the file into the swarm, to a seed and to another peer")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("swallowing full packets between one peer and the seed, and leaving the other no time to bring everything before that shows")
		const rate = 800_000 // bytes/s over each of five connections: the file takes 4 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.Peers()[1]).Port(65002), BytesPerSecond: rate, Direction: fault.Downstream})
		bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(bed.SeedAtWork(ctx)).Port(65002), Bytes: pathMTU})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromPeers()))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(SatisfyAll(HaveField("Step", "piece"), HaveField("Cause", "stalled"))))
		Expect(bed.Members(ctx)).To(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: with stalls told as timeouts, the log has no stall.
	It("between a peer and all parents sends it to the origin, and says that pieces stall", kills("origin-never-asked"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("swallowing full packets from everybody but the origin")
		bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(append(bed.Seeds(), bed.Peers()[1:]...)...), Bytes: pathMTU})

		By("downloading")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(
			judge.BeIntact(file),
			judge.ComeFromOrigin(),
			HaveField("TookMS", BeNumerically("<", 2*bed.Bounds().Fallback.Milliseconds())), // from the seeds, then from all
		))
		// A list of pieces that has become long may be the first to fill a packet.
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(SatisfyAll(HaveField("Step", BeElementOf("piece", "list")), HaveField("Cause", "stalled"))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with stalls told as timeouts, the log has no stall; with a piece that is waited for
	// until its time is up, it takes too long.
	It("names the parent whose pieces stall", kills("piece-failure-names-grpc-port", "black-hole-called-timeout", "pieces-without-deadline"), needs("stall-target"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("swallowing full packets of pieces from everybody but the origin, and downloading")
		bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(append(bed.Seeds(), bed.Peers()[1:]...)...).Port(65002), Bytes: pathMTU})
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(
			judge.BeIntact(fixtures.Layer4M),
			HaveField("TookMS", BeNumerically("<", 2*bed.Bounds().Fallback.Milliseconds())), // from the seeds, then from all
		))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(SatisfyAll(diagnosis("piece", "", "stalled"), HaveField("Target", HaveSuffix(":65002")))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a download that waits for its supernode without end, it never ends; with a peer
	// that does not register again, what comes after the cure is from the origin.
	DescribeTable("between a peer and the supernode costs it no file", func(ctx SpecContext, direction fault.Direction) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer64M // the digests of its pieces alone fill a packet

		By("bringing the file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))

		By("swallowing full packets on the way")
		hole := bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(bed.Supernodes()...), Bytes: pathMTU, Direction: direction})

		By("downloading, while the supernode's link may break again and again")
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(judge.BeIntact(file))

		By("letting full packets pass again, and seeing it take part")
		hole.Heal(ctx)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
		Expect(bed.Members(ctx)).To(ContainElement(peer.Name))
	},
		Entry("from the supernode", kills("lost-supernode-never-returned-to"), fault.Downstream, SpecTimeout(harness.Spec)),
		Entry("both ways", kills("lost-supernode-never-returned-to"), fault.Both, SpecTimeout(harness.Spec)),
	)

	// Seen red: on Dragonfly, whose announcements fit into small packets.
	It("between a peer and the supernode is told in the peer's log", kills("failures-not-logged"), needs("large-messages"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("bringing a large file into the swarm")
		Expect(bed.Download(ctx, bed.Peers()[1], fixtures.Layer64M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer64M))

		By("swallowing full packets on the way to the supernode and back, and downloading")
		bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(bed.Supernodes()...), Bytes: pathMTU})
		Expect(bed.Download(ctx, peer, fixtures.Layer64M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer64M))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis("announce", "supernode-1:8002", "")))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a supernode that never forgives a failed parent, the origin goes on serving.
	It("is cured by a lower interface MTU on the peer", kills("failures-never-forgiven"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]
		parents := append(bed.Seeds(), bed.Peers()[1:]...)

		By("swallowing full packets between a peer and all parents")
		bed.Inject(ctx, fault.MTU{Links: fault.From(peer).To(parents...).Port(65002), Bytes: pathMTU})
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))

		By("lowering the MTU of its interface, while the hole is still there")
		bed.Inject(ctx, fault.Clamp{Nodes: bed.Peers()[:1], Bytes: pathMTU})
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Forgive).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))
})
