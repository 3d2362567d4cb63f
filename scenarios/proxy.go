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

const proxyPort = 65001

// A peer's proxy is the other way into the swarm: whoever asks it for a file gets it from
// seeds and peers, and is not let down when they are away.
var _ = Describe("The proxy of a peer", proxy, func() {
	// Seen red: with a proxy that asks the origin itself, as the next one.
	It("takes files from the swarm, for itself and for another node", kills("proxy-passes-the-swarm-by"), smoke, func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, client, file := bed.Peers()[0], bed.Peers()[1], fixtures.Layer4M

		By("asking from its own node")
		Expect(bed.DownloadVia(ctx, peer, peer, proxyPort, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))

		By("asking from another node for what nobody has")
		Expect(bed.DownloadVia(ctx, client, peer, proxyPort, fixtures.Fresh(1)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(1)), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	It("behind a closed port is away, and there again when it is opened", kills("proxy-passes-the-swarm-by"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, client, file := bed.Peers()[0], bed.Peers()[1], fixtures.Layer1M

		By("closing the port")
		block := bed.Inject(ctx, fault.BlockPort{Links: fault.Into(peer).Port(proxyPort), How: fault.Refused})
		Expect(bed.DownloadVia(ctx, client, peer, proxyPort, file).Wait(ctx)).NotTo(judge.BeIntact(file))

		By("opening it")
		block.Heal(ctx)
		Expect(bed.DownloadVia(ctx, client, peer, proxyPort, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with 502 for everything that an origin refuses.
	It("passes on what the origin refuses", needs("origin-errors"), kills("origin-refusal-hidden"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())

		By("asking for what the origin does not have, and for what it does not give")
		for fault, answer := range map[string]string{"404": "404 Not Found", "403": "403 Forbidden"} {
			Expect(bed.DownloadVia(ctx, bed.Peers()[1], bed.Peers()[0], proxyPort, from(fixtures.Layer1M, fault)).Wait(ctx)).
				To(HaveField("Error", ContainSubstring(answer)), "what the proxy passes on")
		}
	}, SpecTimeout(harness.Spec))

	It("goes to the origin when all seeds are away", kills("origin-never-asked"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("taking the seeds away")
		bed.Inject(ctx, fault.Unreachable{Nodes: bed.Seeds(), How: fault.Dropped})

		By("asking the proxy")
		Expect(bed.DownloadVia(ctx, peer, peer, proxyPort, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromOrigin()))
	}, SpecTimeout(harness.Spec))
})
