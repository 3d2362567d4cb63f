package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// every release of the reference swarm, oldest first.
var every = []string{"2.0.0", "2.1.0", "2.2.1", "2.3.0", "3.0.0"}

// besideEvery is a bed under a supernode of one release with a seed and a peer of every
// release, those of its own first: a supernode without fallback knows its first seed
// only, and who understands the supernode understands that one.
func besideEvery(own string) topology.Topology {
	t := topology.Of(1, len(every), len(every)).Released(own, "supernode-1")
	seeds, peers := topology.Names(t.Of(topology.Seed)), topology.Names(t.Of(topology.Peer))
	for i, release := range append([]string{own}, without(every, own)...) {
		t = t.Released(release, seeds[i], peers[i])
	}
	return t
}

// Whoever speaks the supernode's protocol, and is spoken to, is in the swarm and shares.
// The others are out, say why as far as their release says anything, and get their files.
// Five beds cover every pair of supernode and peer.
var _ = Describe("Every release at once", versions, needs("releases"), func() {
	// Seen red: with a 2.2.1 that no longer accepts protocol 2.1 at Register, seed-3 and peer-3 are missing.
	DescribeTable("forms a swarm of those that speak with a supernode", func(ctx SpecContext, own string) {
		bed := harness.Lay(ctx, GinkgoTB(), besideEvery(own))
		file := fixtures.Layer4M
		members, refused := bed.Admitted(topology.Seed, topology.Peer), bed.Refused(topology.Seed, topology.Peer)

		By("starting")
		bed.Open(ctx)
		bed.AwaitReady(ctx, refused...)
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(members)))

		By("reading why the others are out, in the logs of releases that say it")
		for _, node := range bed.Explaining(refused) {
			Eventually(ctx, bed.Diagnoses(node)).WithTimeout(bed.Bounds().Notice).
				Should(ContainElement(diagnosis("register", "supernode-1:8002", "version mismatch")))
		}

		By("downloading on every member, from the swarm")
		for _, peer := range bed.Admitted(topology.Peer) {
			Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()), peer.Name)
		}
		Expect(bed.Served(bed.Origin())(ctx)).To(BeNumerically("~", file.Size, file.Size/10))

		By("downloading what lasts long enough to ask all parents, and reading that nobody was sent to whom it does not speak with")
		for _, peer := range bed.Explaining(bed.Admitted(topology.Peer)) {
			Expect(bed.Download(ctx, peer, fixtures.Layer16M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer16M), peer.Name)
		}
		for _, node := range bed.Explaining(members) {
			Expect(bed.Diagnoses(node)(ctx)).NotTo(ContainElement(HaveField("Cause", "version mismatch")), node.Name)
		}

		By("downloading on those that are out, from the origin")
		for _, peer := range bed.Refused(topology.Peer) {
			Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromOrigin()), peer.Name)
		}
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(members)))
	},
		Entry("2.0.0", kills("failures-not-logged"), "2.0.0", SpecTimeout(harness.Spec)),
		Entry("2.1.0", kills("right-minor-refused"), "2.1.0", SpecTimeout(harness.Spec)),
		Entry("2.2.1", kills("wrong-major-accepted", "strangers-offered-as-parents"), "2.2.1", SpecTimeout(harness.Spec)),
		Entry("2.3.0", kills("right-minor-refused"), "2.3.0", SpecTimeout(harness.Spec)),
		Entry("3.0.0", kills("wrong-major-accepted"), "3.0.0", SpecTimeout(harness.Spec)),
	)
})
