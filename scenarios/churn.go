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
	// A wave is two of six, killed and started again, each of them awaited: it takes about two
	// seconds, so that four of them are what fits beside a download.
	const waves, wave = 4, 2

	// Seen red: with a failed piece, or a lost parent, that ends a download, one fails; with one attempt
	// to register, some of those that came back stay out.
	It("of a third of the peers, wave after wave, costs those that stay no download", kills("one-failed-piece-ends-all"), func(ctx SpecContext) {
		stay, come := []string{"peer-1", "peer-2"}, []string{"peer-3", "peer-4", "peer-5", "peer-6"}
		bed := harness.Start(ctx, GinkgoTB(), topology.Of(1, 2, 6).Located("b", append(stay, come...)...))
		file, draw := fixtures.Layer16M, rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), waves)) //nolint:gosec // a draw, no secret; a seed is a seed

		By("bringing a file to those that come and go, who are nearer than the seeds")
		var brought []*workload.Download
		for _, name := range come {
			brought = append(brought, bed.Download(ctx, bed.Node(name), file))
		}
		for _, d := range brought {
			Expect(d.Wait(ctx)).To(judge.BeIntact(file))
		}

		By("downloading it on those that stay, thinly, so that it takes some waves")
		const thin = 150_000 // bytes/s over each of some dozen connections
		watched := []topology.Node{bed.Node(stay[0]), bed.Node(stay[1])}
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(watched...).To().Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		one, two := bed.Download(ctx, watched[0], file), bed.Download(ctx, watched[1], file)

		By("killing and starting some of the others, again and again")
		for range waves {
			var drawn []topology.Node
			for _, i := range draw.Perm(len(come))[:wave] {
				drawn = append(drawn, bed.Node(come[i]))
			}
			bed.Inject(ctx, fault.Kill{Nodes: drawn}).Heal(ctx)
		}

		By("seeing the downloads end well, and everybody counted")
		Expect(one.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(two.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(append([]string{"seed-1", "seed-2"}, append(stay, come...)...)))
	}, SpecTimeout(harness.Spec))

	// Seen red: without a backoff each peer tries a hundred times a second.
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
			Expect(attempts(tried)).To(And(BeNumerically(">", 0), BeNumerically("<=", most)), peer.Name)
		}
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))
})

// attempts counts those to register that failed.
func attempts(tried []system.Diagnosis) (n int) {
	for _, d := range tried {
		if d.Step == "register" {
			n++
		}
	}
	return n
}
