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

// greeting is what a gRPC server says before it answers, in bytes.
const greeting = 100

// call is what one node asks of another on 65000 or 8002, and what is told when no answer comes.
type call struct {
	from, to string
	port     int
	made     func(ctx SpecContext, bed *harness.Bed) // makes somebody make it
	by       string                                  // whose log tells
	step     string
	of       string // what the log says it was to reach
	words    string
}

func restart(ctx SpecContext, bed *harness.Bed) { bed.Replace(ctx, bed.Node("peer-1")) }

// fetch makes a peer ask for a file that lasts, and that its seed gives thinly.
func fetch(ctx SpecContext, bed *harness.Bed) {
	peer, file := bed.Node("peer-1"), fixtures.Layer16M
	const thin = 500_000 // bytes/s over each connection: the file takes several seconds
	Expect(bed.Download(ctx, bed.Node("peer-2"), file).Wait(ctx)).To(judge.BeIntact(file))
	bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(bed.Seeds()...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
	bed.Download(ctx, peer, file)
}

// A server that greets, and then says no more, holds whoever called it as long as that one
// lets it. Every call has an end of its own, long before keepalive would end the connection.
var _ = Describe("A call that is never answered", told, needs("causes"), func() {
	// Seen red: with each of these calls without its deadline.
	DescribeTable("ends in time, and is told:", func(ctx SpecContext, c call) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())

		By("letting the far end greet on each connection, and say no more")
		bed.Inject(ctx, fault.Stall{Links: fault.From(bed.Node(c.from)).To(bed.Node(c.to)).Port(c.port), After: greeting})

		By("calling it, and reading what becomes of that")
		c.made(ctx, bed)
		Eventually(ctx, bed.Diagnoses(bed.Node(c.by))).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(SatisfyAll(diagnosis(c.step, c.of, "timed out"), HaveField("Error", ContainSubstring(c.words)))), "what its log says")
	},
		Entry("to register", kills("register-without-deadline"), call{"peer-1", "supernode-1", 8002, restart, "peer-1", "register", "supernode-1:8002", ""}, SpecTimeout(harness.Spec)),
		Entry("back, of a peer that registers", kills("call-back-without-deadline"), call{"supernode-1", "peer-1", 65000, restart, "peer-1", "register", "supernode-1:8002", "cannot be called back"}, SpecTimeout(harness.Spec)),
		Entry("to a seed, for a file", kills("seeds-without-deadline"), call{"supernode-1", "seed-1", 65000, func(ctx SpecContext, bed *harness.Bed) {
			bed.Download(ctx, bed.Node("peer-1"), fixtures.Layer1M)
		}, "supernode-1", "seed", "seed-1:65000", "no sign of life"}, SpecTimeout(harness.Spec)),
		Entry("for a parent's list of pieces", kills("list-of-pieces-without-deadline"), call{"peer-1", "peer-2", 65000, fetch, "peer-1", "list", "peer-2:65000", "no piece list"}, SpecTimeout(harness.Spec)),
	)
})
