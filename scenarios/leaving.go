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

// Who leaves says so; who comes back is one peer, not two.
var _ = Describe("A peer that leaves", retry, func() {
	// Seen red: without a goodbye, it is counted for a lease longer.
	It("is not counted any more, at once, and counted once when it is back", kills("no-goodbye"), needs("leases"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))

		By("telling a peer to stop")
		stop := bed.Inject(ctx, fault.Stop{Nodes: []topology.Node{peer}})
		Expect(bed.Members(ctx)).To(ConsistOf(without(everybody, peer.Name)), "counted though it said goodbye")

		By("starting it again")
		stop.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Expect(bed.Known(bed.Peers()[1])(ctx)).To(ContainElement(peer.Name))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a supernode that never lets a lease run out, it is counted for ever.
	It("without a word is counted for a lease, and not longer", kills("dead-peers-counted"), needs("leases"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("killing a peer")
		kill := bed.Inject(ctx, fault.Kill{Nodes: []topology.Node{peer}})
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).ShouldNot(ContainElement(peer.Name), "counted though it is dead")
		Eventually(ctx, bed.Known(bed.Peers()[1])).WithTimeout(bed.Bounds().Notice).ShouldNot(ContainElement(peer.Name))

		By("starting it again, with whatever it has on its disk")
		kill.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(peer.Name))
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a seed that does not register again once it was in, the primary serves no more.
	It("and is a seed gives the next file again once it is back", kills("lost-supernode-never-returned-to"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		primary, peer := bed.Seeds()[0], bed.Peers()[0]

		By("taking the primary seed away, and downloading")
		outage := bed.Inject(ctx, fault.Unreachable{Nodes: []topology.Node{primary}, How: fault.Dropped})
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Served(primary)(ctx)).To(BeZero())

		By("bringing it back, and downloading what nobody has")
		outage.Heal(ctx)
		Eventually(ctx, gives(bed, primary, peer)).WithTimeout(bed.Bounds().Rejoin + bed.Bounds().Forgive).Should(BeNumerically(">", fixtures.Fresh(1).Size/2))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a download that stays with the origin once it is there, all of the rest comes from it.
	It("alone with the origin takes the rest of its file from the others once they are back", kills("origin-never-left"), func(ctx SpecContext) {
		const originRate = 5 << 20 // bytes/s: 64 MiB take 13 s
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().OriginLimited(originRate))
		peer, file := bed.Peers()[0], fixtures.Layer64M

		By("bringing a file into the swarm, and cutting a peer off from it")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))
		rest := append(append(bed.Supernodes(), bed.Seeds()...), bed.Peers()[1:]...)
		cut := bed.Inject(ctx, fault.Refuse{Links: fault.From(peer).To(rest...)})
		before, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("getting well into a download from the origin")
		download := bed.Download(ctx, peer, file)
		Eventually(ctx, download.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", 0.1))
		cut.Heal(ctx)

		By("finishing, the most of it from others")
		Expect(download.Wait(ctx)).To(judge.BeIntact(file))
		after, err := bed.Ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(given(after.Since(before), bed.Origin(), peer)).To(BeNumerically("<", file.Size/2))
	}, SpecTimeout(harness.Spec))
})
