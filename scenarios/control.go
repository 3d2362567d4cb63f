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

// Whoever leads the swarm may go away: what is under way ends well, and what comes
// after it does too.
var _ = Describe("The control plane", control, func() {
	// A manager that hangs holds up whoever happens to ask it just then: the source of one
	// file may be the origin.
	DescribeTable("may lose what stands behind it:", needs("manager"), func(ctx SpecContext, role topology.Role, how fault.How, promise types.GomegaMatcher) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]

		By("taking it away")
		outage := bed.Inject(ctx, fault.Unreachable{Nodes: bed.Of(role), How: how})

		By("downloading all the same")
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), promise))

		By("bringing it back, and downloading what nobody has")
		outage.Heal(ctx)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("the manager, killed", smoke, topology.Manager, fault.Killed, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("the manager, paused", topology.Manager, fault.Paused, judge.ComeFromAnywhere(), SpecTimeout(harness.Spec)),
		Entry("the manager, dropped", topology.Manager, fault.Dropped, judge.ComeFromAnywhere(), SpecTimeout(harness.Spec)),
		Entry("the database, killed", topology.Database, fault.Killed, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
		Entry("the cache, killed", topology.Cache, fault.Killed, judge.ComeFromSwarm(), SpecTimeout(harness.Spec)),
	)

	DescribeTable("of two supernodes may lose the one that owns a task under way", kills("next-supernode-never-asked"), func(ctx SpecContext, how fault.How) {
		const originRate = 2 << 20 // bytes/s: 16 MiB take 8 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(2, 2, 3).OriginLimited(originRate))
		peer, file := bed.Peers()[0], fixtures.Layer16M

		By("getting well into a download")
		download := bed.Download(ctx, peer, file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.2))

		By("taking its owner away")
		bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{bed.Owner(ctx, file)}, How: how})
		bed.UnderWay(download)

		By("finishing, and downloading on another peer what nobody has")
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Eventually(ctx, fresh(bed, bed.Peers()[1])).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())

		By("downloading more of that, so that some are the lost one's")
		for n := range 4 {
			Expect(bed.Download(ctx, bed.Peers()[1], fixtures.Fresh(20+n)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(20+n)), judge.ComeFromSwarm()))
		}
	},
		Entry("killed", kills("long-downloads-taken-for-silence"), fault.Killed, SpecTimeout(harness.Spec)),
		Entry("dropped", fault.Dropped, SpecTimeout(harness.Spec)),
	)
})
