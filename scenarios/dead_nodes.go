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

// A node that dies by itself while a fault is on it is the swarm's own failure. Healing
// does not stumble over it, and the verdict names it. Seen red: with a verdict that weighs
// proofs first, those that cannot be given of the dead make it INCONCLUSIVE.
var _ = Describe("A canary", canary, func() {
	DescribeTable("whose node dies by itself under a fault FAILs and names it", func(ctx SpecContext, on func(peer topology.Node) fault.Fault) {
		verdict, reason := harness.Canary(GinkgoTB(), func(tb testing.TB) {
			bed := harness.Start(ctx, tb, topology.Of(1, 1, 2))
			peer := bed.Peers()[0]
			injection := bed.Inject(ctx, on(peer))
			bed.Crash(ctx, peer)
			injection.Heal(ctx)
		})
		Expect(reason).To(Equal("peer-1 ended by itself with exit status 137"))
		Expect(verdict).To(Equal(history.Fail))
	},
		Entry("a dropped port", func(peer topology.Node) fault.Fault {
			return fault.BlockPort{Links: fault.Into(peer).Port(65000), How: fault.Dropped}
		}, SpecTimeout(harness.Spec)),
		Entry("an MTU black hole", func(peer topology.Node) fault.Fault {
			return fault.MTU{Links: fault.Into(peer).Port(65002), Bytes: pathMTU}
		}, SpecTimeout(harness.Spec)),
		Entry("a delay", func(peer topology.Node) fault.Fault {
			return fault.Delay{Links: fault.From(peer).To(), By: 300 * time.Millisecond}
		}, SpecTimeout(harness.Spec)),
		Entry("a pause", func(peer topology.Node) fault.Fault {
			return fault.Unreachable{Nodes: []topology.Node{peer}, How: fault.Paused}
		}, SpecTimeout(harness.Spec)),
		Entry("another MTU of its own", smoke, func(peer topology.Node) fault.Fault {
			return fault.Clamp{Nodes: []topology.Node{peer}, Bytes: pathMTU}
		}, SpecTimeout(harness.Spec)),
		Entry("exhausted descriptors", func(peer topology.Node) fault.Fault {
			return fault.FDLimit{Nodes: []topology.Node{peer}}
		}, SpecTimeout(harness.Spec)),
	)
})
