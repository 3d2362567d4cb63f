package scenarios

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// What a closed port costs differs by port, and is the same whether packets vanish or
// are refused:
//
//	8002          the peer cannot register: it is out, its peer count is 0
//	65000         the supernode cannot call it back: it is out
//	65000-65020   as 65000
//	65001         the connectivity check fails: it stays in, but is nobody's parent
//	65002         its pieces cannot be fetched: it stays in, but serves nobody
//	65003         it cannot ask the manager: it stays in, and files come from the swarm
//
// Who is out is asked of systems whose peers form a mesh, who is a leecher of those whose
// seeds have an order. Of all systems blocked_files.go asks the rest: in every case the
// peer itself and all others get their files, and once the port is open again the peer
// gets them from the swarm within the system's rejoin bound, without a restart.
var (
	out8002  = closedPort{ports: []int{8002}, toSupernode: true}
	out65000 = closedPort{ports: []int{65000}}
	outRange = closedPort{ports: fault.Range(65000, 65020)}
	out65003 = closedPort{ports: []int{65003}, toSupernode: true}
	leech1   = closedPort{ports: []int{65001}, step: "check", witness: "supernode-1"}
	leech2   = closedPort{ports: []int{65002}, step: "piece", witness: "peer-2"}
)

type closedPort struct {
	ports       []int
	toSupernode bool // closed on the way to supernode or manager, else on the way to the peer
	step        string
	witness     string // the node whose log says that this step failed
}

// of aims at the links of these peers that a rule on their host would close.
func (c closedPort) of(how fault.How, peers ...topology.Node) fault.Fault {
	links := fault.Into(peers...)
	if c.toSupernode {
		links = fault.From(peers...).To()
	}
	return fault.BlockPort{Links: links.Port(c.ports...), How: how}
}

var _ = Describe("A blocked port", blockedPorts, func() {
	// Two peers far from the seeds, so that they would take pieces from each other.
	near := func(t topology.Topology) topology.Topology { return t.Located("b", "peer-1", "peer-2") }

	// Seen red: without retries, as in 2.1.0, peer-1 stays out after the port opened.
	DescribeTable("keeps one peer out, and lets it back in when opened", needs("mesh"), func(ctx SpecContext, port closedPort, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), near(topology.Tiny()))
		sick := bed.Node("peer-1")
		others := []string{"seed-1", "peer-2"}

		By("blocking the port of one peer")
		block := bed.Inject(ctx, port.of(how, sick))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(ConsistOf(others), "counted though nobody can reach it")
		Eventually(ctx, bed.Known(sick)).WithTimeout(bed.Bounds().Notice).Should(BeEmpty())

		By("downloading on it and on another")
		Expect(bed.Download(ctx, sick, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))
		Expect(bed.Download(ctx, bed.Node("peer-2"), fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))

		By("opening the port again")
		block.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(append(others, sick.Name)), "not let back in")
		Eventually(ctx, bed.Known(sick)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(others))
	},
		Entry("8002 dropped", kills("retries-only-what-was-refused"), smoke, out8002, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("8002 refused", kills("lost-supernode-never-returned-to"), out8002, fault.Refused, SpecTimeout(harness.Spec)),
		Entry("65000 dropped", kills("unreachable-peers-counted"), out65000, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("65000 refused", kills("forgotten-peer-stays-away"), out65000, fault.Refused, SpecTimeout(harness.Spec)),
		Entry("65000-65020 dropped", kills("unreachable-peers-counted"), outRange, fault.Dropped, SpecTimeout(harness.Spec)),
	)

	// Seen red: without retries, as in 2.1.0, the count stays 0.
	DescribeTable("keeps all peers out, and lets them back in when opened", needs("mesh"), func(ctx SpecContext, port closedPort, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), near(topology.Tiny()))
		everybody := append(bed.Seeds(), bed.Peers()...)

		By("blocking the port of all peers and seeds")
		block := bed.Inject(ctx, port.of(how, everybody...))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(BeEmpty(), "counted though nobody can reach them")

		By("downloading all the same")
		Expect(bed.Download(ctx, bed.Node("peer-1"), fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))

		By("opening the port again")
		block.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(everybody)), "not let back in")
	},
		Entry("8002 dropped", kills("retries-only-what-was-refused"), out8002, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("8002 refused", kills("lost-supernode-never-returned-to"), out8002, fault.Refused, SpecTimeout(harness.Spec)),
		Entry("65000 dropped", kills("unreachable-peers-counted"), out65000, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("65000 refused", kills("forgotten-peer-stays-away"), out65000, fault.Refused, SpecTimeout(harness.Spec)),
	)

	// Seen red: with a supernode that offers parents it cannot reach, peer-1 serves behind 65001; with
	// failed pieces taken from the origin at once, or failures never forgiven, 65002 is red.
	DescribeTable("makes one peer a leecher, and a parent again when opened", needs("seed-order"), func(ctx SpecContext, port closedPort, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), near(topology.Small()))
		leecher, neighbour := bed.Node("peer-1"), bed.Node("peer-2")
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("blocking the port of one peer")
		block := bed.Inject(ctx, port.of(how, leecher))
		if port.ports[0] == leech1.ports[0] {
			Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(without(everybody, leecher.Name)))
		}

		By("downloading on it, then on its neighbour, who would take it from there, and has no time to overlook it")
		const thin = 200_000 // bytes/s over each connection to the others: 4 MiB take 2 s or more
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(neighbour).To(append(bed.Seeds(), bed.Node("peer-3"))...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		Expect(bed.Download(ctx, leecher, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Download(ctx, neighbour, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(leecher)(ctx)).To(BeZero(), "what the leecher gave")
		Expect(bed.Diagnoses(bed.Node(port.witness))(ctx)).To(ContainElement(SatisfyAll(
			HaveField("Step", port.step),
			HaveField("Target", HaveSuffix(fmt.Sprint(":", port.ports[0]))),
		)))
		Expect(bed.Members(ctx)).To(ConsistOf(everybody))

		By("opening the port again")
		block.Heal(ctx)
		Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody), "not offered again")
		n := 0
		Eventually(ctx, func(ctx SpecContext) (int64, error) {
			n++
			_, _ = bed.Download(ctx, leecher, fixtures.Fresh(n)).Wait(ctx)
			_, _ = bed.Download(ctx, neighbour, fixtures.Fresh(n)).Wait(ctx)
			return bed.Served(leecher)(ctx)
		}).WithTimeout(bed.Bounds().Forgive).Should(BeNumerically(">", 0))
	},
		Entry("65001 dropped", kills("closed-proxy-port-never-forgiven", "offers-unreachable-parents", "leechers-get-nothing"), leech1, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("65001 refused", kills("reachability-never-regained"), smoke, kills("offers-unreachable-parents"), leech1, fault.Refused, SpecTimeout(harness.Spec)),
		Entry("65002 dropped", kills("failures-never-forgiven"), leech2, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("65002 refused", kills("failed-pieces-from-origin"), leech2, fault.Refused, SpecTimeout(harness.Spec)),
	)
})
