package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// Whatever a closed port means to a swarm, it must not mean that a file cannot be had.
var _ = Describe("A blocked port", blockedPorts, func() {
	// Two peers far from the seeds, so that they would take pieces from each other.
	near := topology.Tiny().Located("b", "peer-1", "peer-2")

	// What a peer is called back on 65000 for, and loses, differs between systems.
	wherever := judge.ComeFromAnywhere()

	// Seen red: with 8002 left open, the file comes from the swarm.
	DescribeTable("costs nobody a file, and nothing at all once it is open", func(ctx SpecContext, port closedPort, how fault.How, source types.GomegaMatcher) {
		bed := harness.Start(ctx, GinkgoTB(), near)
		sick, well := bed.Node("peer-1"), bed.Node("peer-2")

		By("blocking the port of one peer")
		block := bed.Inject(ctx, port.of(how, sick))

		By("downloading on it and on another")
		Expect(bed.Download(ctx, sick, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), source))
		Expect(bed.Download(ctx, well, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))

		By("opening the port again")
		block.Heal(ctx)
		Eventually(ctx, fresh(bed, sick)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("8002 dropped", kills("lost-supernode-never-returned-to"), out8002, fault.Dropped, judge.ComeFromOrigin(), SpecTimeout(harness.Spec)),
		Entry("8002 refused", kills("lost-supernode-never-returned-to"), out8002, fault.Refused, judge.ComeFromOrigin(), SpecTimeout(harness.Spec)),
		Entry("65000 dropped", needs("no-mesh"), out65000, fault.Dropped, wherever, SpecTimeout(harness.Spec)),
		Entry("65000 refused", needs("no-mesh"), out65000, fault.Refused, wherever, SpecTimeout(harness.Spec)),
		Entry("65001 dropped", needs("no-mesh"), leech1, fault.Dropped, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("65001 refused", needs("no-mesh"), leech1, fault.Refused, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("65002 dropped", kills("arrived-pieces-asked-again"), leech2, fault.Dropped, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("65002 refused", kills("one-failed-piece-ends-all"), leech2, fault.Refused, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("65003 dropped", needs("manager"), out65003, fault.Dropped, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("65003 refused", needs("manager"), out65003, fault.Refused, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
	)

	// Seen red: with 65002 left open, the file comes from the seeds.
	DescribeTable("of all seeds sends a peer to the origin, and back to them once it is open", kills("origin-never-asked"), func(ctx SpecContext, port int, how fault.How) {
		bed := harness.Start(ctx, GinkgoTB(), near)
		peer := bed.Peers()[0]

		By("blocking the port on the way from all peers to all seeds")
		block := bed.Inject(ctx, fault.BlockPort{Links: fault.From(bed.Peers()...).To(bed.Seeds()...).Port(port), How: how})

		By("downloading what only seeds could have")
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))

		By("opening the port again")
		block.Heal(ctx)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("65000 dropped", 65000, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("65000 refused", 65000, fault.Refused, SpecTimeout(harness.Spec)),
		Entry("65002 dropped", 65002, fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("65002 refused", 65002, fault.Refused, SpecTimeout(harness.Spec)),
	)
})
