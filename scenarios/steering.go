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

// A node that cannot reach another by its address may try its name, and must not get
// around a fault in that way. What the origin served proves it; a connection that
// walked around its link would make the run INCONCLUSIVE.
var _ = Describe("A closed way to the supernode", steering, func() {
	// Seen red: with the way left open, the file comes from the swarm.
	DescribeTable("is closed by address and by name", func(ctx SpecContext, how fault.How) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Tiny())
		shut := bed.Peers()[0]

		By("closing the way of one peer, then starting the swarm")
		closed := bed.Inject(ctx, fault.BlockPort{Links: fault.From(shut).To(bed.Supernodes()...), How: how})
		bed.Open(ctx)
		bed.AwaitReady(ctx, shut)

		By("downloading on it and on another")
		Expect(bed.Download(ctx, shut, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))
		Expect(bed.Download(ctx, bed.Peers()[1], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Bypass(ctx)).To(HaveEach(BeZero()))

		By("counting who is there, then opening the way")
		Expect(bed.Members(ctx)).NotTo(ContainElement(shut.Name))
		closed.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(shut.Name), "not let back in")
		Eventually(ctx, fresh(bed, shut)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("dropped", kills("retries-only-what-was-refused"), fault.Dropped, SpecTimeout(harness.Spec)),
		Entry("refused", kills("registers-once"), smoke, fault.Refused, SpecTimeout(harness.Spec)),
	)
})
