package scenarios

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

const tooMany = "too many open files"

// A node that has run out of file descriptors harms itself alone, says so, and is well
// as soon as it has some.
var _ = Describe("File descriptors", descriptors, func() {
	// Seen red: with EMFILE not told from other errors, the log says "bad answer".
	It("exhausted on a peer: others go on, it recovers", kills("too-many-files-not-told", "accept-gives-up"), smoke, func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		sick, well := bed.Peers()[0], bed.Peers()[1]

		By("taking a peer's descriptors away")
		limit := bed.Inject(ctx, fault.FDLimit{Nodes: []topology.Node{sick}})
		Eventually(ctx, bed.Diagnoses(sick)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis("", "", tooMany)), "its log on descriptors")

		By("downloading on another")
		Expect(bed.Download(ctx, well, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))

		By("giving them back")
		limit.Heal(ctx)
		Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(sick.Name), "not well again")
		Expect(bed.Download(ctx, sick, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: without seed fallback the file comes from the origin.
	It("exhausted on the primary seed: the backup serves", kills("next-seed-never-asked"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		primary, backup := bed.Seeds()[0], bed.Seeds()[1]

		By("taking the primary seed's descriptors away")
		limit := bed.Inject(ctx, fault.FDLimit{Nodes: []topology.Node{primary}})

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(backup)(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))
		Expect(bed.Diagnoses(primary)(ctx)).To(ContainElement(diagnosis("", "", tooMany)))

		By("giving them back")
		limit.Heal(ctx)
		Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(primary.Name))

		By("downloading what nobody has, which the primary is asked for first")
		Expect(bed.Served(primary)(ctx)).To(BeZero())
		Expect(bed.Download(ctx, bed.Peers()[1], fixtures.Fresh(1)).Wait(ctx)).To(judge.ComeFromSwarm())
		Expect(bed.Served(primary)(ctx)).To(BeNumerically(">", 0))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a seed that tries as often as one that has some, its log has eight attempts.
	It("all but one gone on the primary seed: it can be asked, and passes on to the backup soon", kills("bare-seed-tries-on"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		primary := bed.Seeds()[0]

		By("leaving the primary seed one descriptor, for who asks it")
		limit := bed.Inject(ctx, fault.FDLimit{Nodes: bed.Seeds()[:1], Spare: 1})

		By("downloading, and reading how often it asked the origin without one")
		const files, soon = 3, 3
		for n := range files {
			Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Fresh(n)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), judge.ComeFromSwarm()))
		}
		Expect(bed.Diagnoses(primary)(ctx)).To(ContainElement(diagnosis("", "", tooMany)))
		Expect(bed.Diagnoses(primary)(ctx)).NotTo(ContainElement(SatisfyAll(diagnosis("origin", "", ""), HaveField("Attempt", BeNumerically(">", soon)))), "the origin asked without a descriptor")

		By("giving them back")
		limit.Heal(ctx)
		Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(primary.Name))
		Eventually(ctx, fresh(bed, bed.Peers()[1])).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	It("exhausted on all seeds: files arrive all the same, and from seeds again afterwards", kills("origin-never-asked"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]

		By("taking the descriptors of all seeds away")
		limit := bed.Inject(ctx, fault.FDLimit{Nodes: bed.Seeds()})
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer4M))

		By("giving them back")
		limit.Heal(ctx)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin + bed.Bounds().Forgive).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	// Seen red: with a supernode that drops its peers when a seed cannot be dialled, nobody is left.
	It("exhausted on the supernode: nobody is lost, and newcomers get in afterwards", kills("accept-gives-up"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		supernode, newcomer := bed.Supernodes()[0], bed.Peers()[2]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("taking the supernode's descriptors away")
		limit := bed.Inject(ctx, fault.FDLimit{Nodes: []topology.Node{supernode}})

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer4M))
		Eventually(ctx, bed.Diagnoses(supernode)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(diagnosis("", "", tooMany)), "its log on descriptors")
		Consistently(ctx, func(ctx SpecContext) (lost []string) {
			members, err := bed.Members(ctx)
			if err != nil {
				return nil // it has no descriptor for us either
			}
			for _, name := range everybody {
				if !slices.Contains(members, name) {
					lost = append(lost, name)
				}
			}
			return lost
		}).WithTimeout(bed.Bounds().Drop).Should(BeEmpty())

		By("giving them back")
		limit.Heal(ctx)
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Fresh(1)).Wait(ctx)).To(judge.ComeFromSwarm())

		By("starting a peer anew, which must connect anew")
		bed.Replace(ctx, newcomer)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody), "newcomers stay out")
		Eventually(ctx, fresh(bed, newcomer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	It("too few from the start on a peer: it says so, others go on, more of them cure it", kills("failures-not-logged"), func(ctx SpecContext) {
		const tooFew = 14 // standard streams, the poller and the listeners take about as many
		bed := harness.Lay(ctx, GinkgoTB(), topology.Tiny().Descriptors(tooFew, "peer-1"))
		sick, well := bed.Peers()[0], bed.Peers()[1]

		By("starting")
		bed.Open(ctx)
		bed.AwaitReady(ctx, sick)
		Eventually(ctx, bed.Diagnoses(sick)).WithTimeout(bed.Bounds().Notice).
			Should(ContainElement(HaveField("Cause", tooMany)))

		By("downloading on another")
		Expect(bed.Download(ctx, well, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))

		By("starting it again with as many as others have")
		sick.Descriptors = 0
		bed.Replace(ctx, sick)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(sick.Name))
		Eventually(ctx, fresh(bed, sick)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))
})
