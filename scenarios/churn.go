package scenarios

import (
	"math/rand/v2"
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

// Peers that come and go all the time cost those that stay no file, and those that come
// back are in again. When all come back at once, nobody is trampled.
var _ = Describe("Churn", churn, needs("resume"), func() {
	// A wave is two of six, killed and started again, and awaited, beside a download: some four
	// seconds, so that three waves are what a scenario has the time for.
	const waves = 3

	// Seen red: with a failed piece that ends a download, the file comes from the origin.
	It("of a third of the peers, wave after wave, costs those that stay no download", long, kills("one-failed-piece-ends-all"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 2, 6).Located("b", "peer-1", "peer-2", "peer-3", "peer-4", "peer-5", "peer-6"))
		stay, come := bed.Peers()[:2], bed.Peers()[2:]
		draw := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), waves)) //nolint:gosec // a draw, no secret

		By("bringing files to those that come and go, who are nearer than the seeds")
		for n := range waves {
			for _, d := range onEach(ctx, bed, come, fixtures.Fresh(n)) {
				Expect(d.Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(n)))
			}
		}

		By("downloading them on those that stay, while some of the others are killed and started again")
		const thin = 120_000 // bytes/s over each connection: a piece takes two seconds, so that it meets a wave
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(stay...).To().Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		for n := range waves {
			downloads := onEach(ctx, bed, stay, fixtures.Fresh(n))
			order := draw.Perm(len(come))
			bed.Inject(ctx, fault.Kill{Nodes: []topology.Node{come[order[0]], come[order[1]]}}).Heal(ctx)
			for _, d := range downloads {
				Expect(d.Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), HaveField("From.Origin", BeNumerically("<=", fixtures.Fresh(n).Size/2))))
			}
		}

		By("counting everybody")
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a failed piece that ends a download, files come from the origin.
	It("of a third of the peers, killed and started again every other second for twenty, costs those that stay no file", long, kills("one-failed-piece-ends-all"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 2, 6).Located("b", "peer-1", "peer-2", "peer-3", "peer-4", "peer-5", "peer-6"))
		stay, come := bed.Peers()[:2], bed.Peers()[2:]
		const thin = 120_000                       // bytes/s over each connection: a piece takes two seconds, so that it meets a kill
		const during, files = 20 * time.Second, 10 // of which each takes two seconds and more

		By("bringing files to those that come and go, who are nearer than the seeds")
		for n := range files {
			for _, d := range onEach(ctx, bed, come, fixtures.Fresh(n)) {
				Expect(d.Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(n)))
			}
		}
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(stay...).To().Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})

		By("killing two of them, a second later starting them again, and so on, and downloading all the while")
		churning, began := bed.Inject(ctx, fault.Flap{Of: fault.Kill{Nodes: come[:2]}, Period: 2 * time.Second, Duty: 0.5}), time.Now()
		for n := 0; n < files && time.Since(began) < during; n++ {
			for _, d := range onEach(ctx, bed, stay, fixtures.Fresh(n)) {
				Expect(d.Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(n)), HaveField("From.Origin", BeNumerically("<=", fixtures.Fresh(n).Size/2))))
			}
		}

		By("letting them be, and counting everybody")
		churning.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))

	// Seen red: without a backoff a peer tries 116 times where 12 are enough.
	It("of all peers at once is a storm of registrations that the supernode lives through, and nobody makes worse", kills("no-backoff"), needs("paced-retry"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 2, 6))
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("killing all peers, and starting all at once")
		bed.Inject(ctx, fault.Kill{Nodes: bed.Peers()}).Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))

		By("letting the supernode refuse everybody, then nobody")
		began := time.Now()
		refusal := bed.Inject(ctx, fault.Unreachable{Nodes: bed.Supernodes(), How: fault.Refused})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(BeEmpty())
		refusal.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))

		By("counting how often each tried")
		const growing = 8 // attempts while the pauses are still shorter
		most := growing + int(time.Since(began)/bed.Bounds().RetryPauseLeast)
		for _, peer := range bed.Peers() {
			tried, err := bed.Diagnoses(peer)(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(attempts(tried, "register")).To(And(BeNumerically(">", 0), BeNumerically("<=", most)), peer.Name)
		}
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))
})

// onEach starts a download of one file on several peers.
func onEach(ctx SpecContext, bed *harness.Bed, peers []topology.Node, file fixtures.File) (downloads []*workload.Download) {
	for _, peer := range peers {
		downloads = append(downloads, bed.Download(ctx, peer, file))
	}
	return downloads
}

// attempts counts those at a step that failed.
func attempts(tried []system.Diagnosis, step string) (n int) {
	for _, d := range tried {
		if d.Step == step {
			n++
		}
	}
	return n
}
