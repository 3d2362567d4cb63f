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

// Supernodes know their seeds by name. A name that leads them nowhere, or astray, takes
// that seed's turn and no more.
var _ = Describe("A seed's name", dns, needs("wrong-seed"), func() {
	// Seen red: with a search that ends at the first seed, the file comes from the origin; with
	// connections to seeds that are kept, the backup serves for ever.
	DescribeTable("that the supernode cannot use makes the backup serve, until it can", func(ctx SpecContext, broken func(bed *harness.Bed) fault.Fault, told types.GomegaMatcher) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		primary, backup, peer := bed.Seeds()[0], bed.Seeds()[1], bed.Peers()[0]

		By("breaking the primary seed's name for the supernode, and downloading")
		outage := bed.Inject(ctx, broken(bed))
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(primary)(ctx)).To(BeZero())
		Expect(bed.Served(backup)(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))
		Expect(bed.Diagnoses(bed.Supernodes()[0])(ctx)).To(told)

		By("mending it, and downloading what nobody has")
		outage.Heal(ctx)
		Expect(bed.Download(ctx, peer, fixtures.Fresh(1)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(1)), judge.ComeFromSwarm()))
		Expect(bed.Served(primary)(ctx)).To(BeNumerically(">", 0))
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	},
		Entry("as nobody answers", kills("next-seed-never-asked"), func(bed *harness.Bed) fault.Fault {
			return fault.DNSFail{Nodes: bed.Supernodes(), Of: bed.Seeds()[:1], With: fault.NameSilent}
		}, ContainElement(diagnosis("seed", "seed-1:65000", "timed out")), SpecTimeout(harness.Spec)),
		Entry("as nobody can find out", kills("next-seed-never-asked"), func(bed *harness.Bed) fault.Fault {
			return fault.DNSFail{Nodes: bed.Supernodes(), Of: bed.Seeds()[:1], With: fault.ServFail}
		}, ContainElement(diagnosis("seed", "seed-1:65000", "bad answer")), SpecTimeout(harness.Spec)),
		Entry("as it leads to the backup", kills("seed-connection-kept-when-its-name-moved"), func(bed *harness.Bed) fault.Fault {
			return fault.DNSWrong{Nodes: bed.Supernodes(), Of: bed.Seeds()[:1], To: bed.Seeds()[1]}
		}, BeEmpty(), SpecTimeout(harness.Spec)), // somebody answers, and does what is asked
	)

	// Seen red: with a peer that waits for ever for seeds, it gets no file.
	It("as every other seed's, unknown from the start, sends peers to the origin, and back when it is known", kills("origin-never-asked"), func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]

		By("taking the names of all seeds from the supernode, then starting the swarm")
		unknown := bed.Inject(ctx, fault.DNSFail{Nodes: bed.Supernodes(), Of: bed.Seeds(), With: fault.NXDomain})
		bed.Open(ctx)
		bed.AwaitReady(ctx)

		By("downloading")
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))
		Expect(bed.Diagnoses(bed.Supernodes()[0])(ctx)).To(ContainElements(diagnosis("seed", "seed-1:65000", "no such host"), diagnosis("seed", "seed-2:65000", "no such host")))

		By("giving them back, and downloading what nobody has")
		unknown.Heal(ctx)
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))
})
