package scenarios

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// How many more descriptors and goroutines than before are no leak: connections that
// are kept for a while.
const (
	spareDescriptors = 6
	spareGoroutines  = 20
)

// What trouble opened is closed when it is over: a node that has seen a thousand bad
// days has as many descriptors and goroutines as on its first.
var _ = Describe("After trouble nothing is left open", leaks, needs("goroutines"), func() {
	// Seen red: with connections that are not closed when a call over them failed.
	It("of connections that failed", kills("connections-leaked", "descriptors-leaked", "deadlock-when-flapping"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		before := footprints(ctx, bed)

		By("letting everybody fail to reach one peer, and that one everybody, again and again")
		sick := bed.Peers()[0]
		flapping := bed.Inject(ctx, fault.Flap{Of: fault.Refuse{Links: fault.Around(sick)}, Period: 3 * time.Second, Duty: 0.7})
		const files = 3
		for n := range files {
			Expect(bed.Download(ctx, sick, fixtures.Fresh(n)).Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(n)))
		}
		Eventually(ctx, bed.Diagnoses(sick)).WithTimeout(bed.Bounds().Download).Should(WithTransform(count, BeNumerically(">=", 60)))

		By("healing, and counting")
		flapping.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(sick.Name))
		backTo(ctx, bed, before, files)
	}, SpecTimeout(harness.Spec))

	// Seen red: with calls to peers that go on when those have left.
	It("of peers that came and went", kills("departed-peers-called-for-ever"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 1, 3))
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))
		before := footprints(ctx, bed)

		By("restarting all peers, again and again")
		const rounds = 4
		for range rounds {
			bed.Inject(ctx, fault.Restart{Nodes: bed.Peers()}).Heal(ctx)
			Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		}
		backTo(ctx, bed, before, 0)
	}, SpecTimeout(harness.Spec))

	// Seen red: with a goroutine more for each piece list that is served, or an upload slot less for each piece.
	It("of downloads that came and went", kills("goroutines-leaked", "upload-slots-leaked"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		before := footprints(ctx, bed)

		By("downloading file after file on all peers at the same moment")
		const files = 12 // of 4 pieces each: more than a seed has slots for at one time
		for n := range files {
			var downloads []*workload.Download
			for _, peer := range bed.Peers() {
				downloads = append(downloads, bed.Download(ctx, peer, fixtures.Fresh(n)))
			}
			for _, d := range downloads {
				Expect(d.Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), judge.ComeFromSwarm()))
			}
		}
		backTo(ctx, bed, before, files)
	}, SpecTimeout(harness.Spec))
})

func count(failed []system.Diagnosis) int { return len(failed) }

func footprints(ctx SpecContext, bed *harness.Bed) map[string]harness.Footprint {
	all := map[string]harness.Footprint{}
	for _, n := range bed.Of(topology.Supernode, topology.Seed, topology.Peer) {
		f, err := bed.Footprint(n)(ctx)
		Expect(err).NotTo(HaveOccurred(), n.Name)
		all[n.Name] = f
	}
	return all
}

// backTo waits until every node holds about what it did, and a descriptor for each of the
// files that it may have got.
func backTo(ctx SpecContext, bed *harness.Bed, before map[string]harness.Footprint, files int) {
	for _, n := range bed.Of(topology.Supernode, topology.Seed, topology.Peer) {
		was := before[n.Name]
		if n.Role != topology.Supernode {
			was.Descriptors += files
		}
		Eventually(ctx, bed.Footprint(n)).WithTimeout(bed.Bounds().Rejoin).Should(SatisfyAll(
			HaveField("Descriptors", BeNumerically("<=", was.Descriptors+spareDescriptors)),
			HaveField("Goroutines", BeNumerically("<=", was.Goroutines+spareGoroutines)),
		), n.Name)
	}
}
