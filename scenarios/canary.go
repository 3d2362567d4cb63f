package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// Canaries run inverted: what they do must not pass. They show that the bed can say no.
var _ = Describe("A canary", canary, func() {
	DescribeTable("with the effect of a fault left out ends INCONCLUSIVE", func(ctx SpecContext, of func(peer topology.Node) fault.Fault) {
		verdict, reason := harness.Canary(GinkgoTB(), func(tb testing.TB) {
			bed := harness.Start(ctx, tb, topology.Of(1, 1, 1))
			bed.Inject(ctx, fault.Noop{Of: of(bed.Peers()[0])})
		})
		Expect(verdict).To(Equal(history.Inconclusive), reason)
		Expect(reason).To(ContainSubstring("does not bite"))
	},
		Entry("a dropped port", smoke, func(peer topology.Node) fault.Fault {
			return fault.BlockPort{Links: fault.Into(peer).Port(65000), How: fault.Dropped}
		}, SpecTimeout(harness.Spec)),
		Entry("a killed peer", func(peer topology.Node) fault.Fault {
			return fault.Unreachable{Nodes: []topology.Node{peer}, How: fault.Killed}
		}, SpecTimeout(harness.Spec)),
		Entry("an MTU black hole", func(peer topology.Node) fault.Fault {
			return fault.MTU{Links: fault.Into(peer).Port(65002), Bytes: pathMTU}
		}, SpecTimeout(harness.Spec)),
		Entry("exhausted descriptors", func(peer topology.Node) fault.Fault {
			return fault.FDLimit{Nodes: []topology.Node{peer}}
		}, SpecTimeout(harness.Spec)),
		Entry("a delay", func(peer topology.Node) fault.Fault {
			return fault.Delay{Links: fault.From(peer).To(), By: 300 * time.Millisecond}
		}, SpecTimeout(harness.Spec)),
	)

	It("with a node that walks around its link ends INCONCLUSIVE", smoke, func(ctx SpecContext) {
		verdict, reason := harness.Canary(GinkgoTB(), func(tb testing.TB) {
			bed := harness.Start(ctx, tb, topology.Tiny())
			bed.WalkAround(ctx, bed.Peers()[0], bed.Peers()[1])
		})
		Expect(verdict).To(Equal(history.Inconclusive), reason)
		Expect(reason).To(ContainSubstring("connections around their link from"))
	}, SpecTimeout(harness.Spec))

	It("that holds a 2.1 peer to what 2.2.1 promises FAILs", smoke, needs("weak-previous"), func(ctx SpecContext) {
		verdict, reason := harness.Canary(GinkgoTB(), func(tb testing.TB) {
			bed := harness.Start(ctx, tb, topology.Tiny().Released(topology.Previous, "peer-1"))
			outage := bed.Inject(ctx, fault.Unreachable{Nodes: bed.Supernodes(), How: fault.Killed})
			NewWithT(tb).Eventually(ctx, bed.Known(bed.Node("peer-1"))).WithTimeout(bed.Bounds().Notice).Should(BeEmpty())
			outage.Heal(ctx)
			NewWithT(tb).Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf("seed-1", "peer-1", "peer-2"))
		})
		Expect(verdict).To(Equal(history.Fail), reason)
		Expect(reason).To(MatchRegexp(`(?s)missing elements were.*len:1.*"peer-1"`)) // and nobody else
	}, SpecTimeout(harness.Spec))
})
