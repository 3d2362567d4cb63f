package scenarios

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// A connection that nobody closed and nothing comes through is noticed by both of its
// ends, and given up for a new one.
var _ = Describe("A silent link to the supernode", retry, func() {
	// Seen red: with a peer that bears any silence on its stream, the log has no stall.
	It("that is half open is noticed, named, and replaced", kills("silence-never-noticed"), needs("leases"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("letting the supernode's end of a peer's connection vanish")
		silence := bed.Inject(ctx, fault.HalfOpen{Links: fault.From(peer).To(bed.Supernodes()...)})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).ShouldNot(ContainElement(peer.Name))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElements(diagnosis("announce", "supernode-1:8002", "stalled"), diagnosis("register", "supernode-1:8002", "timed out")))

		By("letting new connections through")
		silence.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red, up: with a supernode that only calls back, the peer stays in; down: with a peer that does not register again.
	DescribeTable("one way takes the peer out, and back in once it talks", needs("leases"), func(ctx SpecContext, way fault.Direction) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("dropping what one of them says")
		drop := bed.Inject(ctx, fault.Drop{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002), Direction: way})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).ShouldNot(ContainElement(peer.Name))

		By("letting both talk")
		drop.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
	},
		Entry("the peer's announcements", kills("announcements-not-missed"), fault.Upstream, SpecTimeout(harness.Spec)),
		Entry("the supernode's answers", kills("lost-supernode-never-returned-to"), fault.Downstream, SpecTimeout(harness.Spec)),
	)

	// Seen red: without a backoff a hundred attempts a second; with one that grows to two minutes, none in time.
	It("that refuses is tried ever more rarely, and not too rarely", kills("backoff-without-ceiling", "no-backoff", "backoff-without-a-top"), needs("paced-retry"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, least, most := bed.Peers()[0], bed.Bounds().RetryPauseLeast, bed.Bounds().RetryPauseMost

		By("refusing a peer's way to the supernode, and looking when it tries")
		refusal := bed.Inject(ctx, fault.BlockPort{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002), How: fault.Refused})
		const grown, attempts = 9, 12 // the pauses of the first ones are still growing
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice + attempts*most).
			Should(ContainElement(SatisfyAll(HaveField("Step", "register"), HaveField("Attempt", BeNumerically(">=", attempts)))))
		tried, err := bed.Diagnoses(peer)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(pauseAfter(tried, grown)).To(SatisfyAll(BeNumerically(">=", least), BeNumerically("<=", most)))

		By("letting it in")
		refusal.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))
})

// pauseAfter is the mean time between attempts to register from the n-th on.
func pauseAfter(tried []system.Diagnosis, n int) time.Duration {
	var first, last system.Diagnosis
	for _, d := range tried {
		switch {
		case d.Step != "register" || d.Attempt < n:
		case first.At.IsZero():
			first, last = d, d
		default:
			last = d
		}
	}
	return last.At.Sub(first.At) / time.Duration(max(1, last.Attempt-first.Attempt))
}
