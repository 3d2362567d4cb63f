package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// A connection that fails is in the log of whoever made it, with where it led and what
// was wrong: the cause that is named is the one that it was.
var _ = Describe("A failed connection", told, needs("causes"), func() {
	peerTo8002 := func(bed *harness.Bed) fault.Links {
		return fault.From(bed.Peers()[0]).To(bed.Supernodes()...).Port(8002)
	}

	// Seen red: with a log that leaves out target or cause, names another cause, or says nothing.
	DescribeTable("is told with its target and its cause:", func(ctx SpecContext, what func(*harness.Bed) fault.Fault, step, cause string) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("breaking a peer's connection to its supernode")
		bed.Inject(ctx, what(bed))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).ShouldNot(ContainElement(peer.Name))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis(step, "supernode-1:8002", cause)), "what its log says")
	},
		Entry("silence", kills("log-without-target"), func(bed *harness.Bed) fault.Fault {
			return fault.Drop{Links: peerTo8002(bed)}
		}, "register", "timed out", SpecTimeout(harness.Spec)),
		Entry("refusal", kills("refused-logged-as-silence"), func(bed *harness.Bed) fault.Fault {
			return fault.Refuse{Links: peerTo8002(bed)}
		}, "register", "refused", SpecTimeout(harness.Spec)),
		Entry("no way there", kills("log-without-cause"), func(bed *harness.Bed) fault.Fault {
			return fault.Refuse{Links: peerTo8002(bed), With: fault.HostUnreachable}
		}, "register", "unreachable", SpecTimeout(harness.Spec)),
		Entry("a connection that nothing comes through", kills("failures-not-logged"), func(bed *harness.Bed) fault.Fault {
			return fault.HalfOpen{Links: peerTo8002(bed)}
		}, "announce", "stalled", SpecTimeout(harness.Spec)),
	)
})
