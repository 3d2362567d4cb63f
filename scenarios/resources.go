package scenarios

import (
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// A node that runs out of something costs nobody else a file, and is as good as before
// when it has enough again.
var _ = Describe("A node that runs short", resources, func() {
	// Seen red: with a supernode that is never idle, what time it has is gone before anybody is answered.
	It("of processor time, and is the supernode, loses nobody for good, and no file", kills("supernode-never-idle"), needs("leases"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())

		By("leaving the supernode a fiftieth of a core, and downloading on every peer")
		starved := bed.Inject(ctx, fault.CPUStarve{Nodes: bed.Supernodes(), CPUs: 0.02})
		for i, peer := range bed.Peers() {
			Expect(bed.Download(ctx, peer, fixtures.Fresh(100+i)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(100+i)), judge.ComeFromSwarm()))
		}

		By("giving it its time back")
		starved.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
		Eventually(ctx, fresh(bed, bed.Peers()[0])).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))

	const (
		disk  = 32 << 20 // bytes for pieces
		spare = 64 << 10 // bytes that a full disk still has: less than a piece
	)

	// Seen red: with pieces that arrive together and look for room each by itself, all but one find
	// none, and the file comes from the origin.
	It("of disk, and is a peer, gets its file past it, or makes room by what it has", kills("no-room-on-a-full-disk"), needs("quota"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().Disk(disk, "peer-1"))
		full, other, file := bed.Node("peer-1"), bed.Node("peer-2"), fixtures.Layer4M

		By("filling the disk of a peer that holds nothing, and downloading on it and on another")
		filled := bed.Inject(ctx, fault.DiskFull{Nodes: bed.Peers()[:1], Spare: spare})
		Expect(bed.Download(ctx, full, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromOrigin()))
		Expect(bed.Download(ctx, other, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Members(ctx)).To(ContainElement(full.Name))

		By("clearing the disk, and downloading once more")
		filled.Heal(ctx)
		Expect(bed.Download(ctx, full, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))

		By("filling it again, and downloading another file")
		bed.Inject(ctx, fault.DiskFull{Nodes: bed.Peers()[:1], Spare: spare})
		Expect(bed.Download(ctx, full, fixtures.Fresh(1)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(1)), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a search for seeds that ends at the first, the file comes from the origin.
	It("of disk, and is the primary seed, is passed over for the backup", kills("next-seed-never-asked"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().Disk(disk, "seed-1"))
		primary, peer := bed.Seeds()[0], bed.Peers()[0]

		By("filling the disk of the primary seed, and downloading")
		filled := bed.Inject(ctx, fault.DiskFull{Nodes: bed.Seeds()[:1], Spare: spare})
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Expect(bed.Diagnoses(bed.Supernodes()[0])(ctx)).To(ContainElement(SatisfyAll(
			HaveField("Target", "seed-1:65000"), HaveField("Error", ContainSubstring("no space")))))

		By("clearing it, and downloading what nobody has")
		filled.Heal(ctx)
		Expect(bed.Download(ctx, peer, fixtures.Fresh(1)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(1)), judge.ComeFromSwarm()))
		Expect(bed.Served(primary)(ctx)).To(BeNumerically(">", 0))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a peer that keeps the whole file, the kernel kills it, and the verdict names it.
	It("of memory, and is a peer, gets a file larger than that", kills("whole-file-in-memory"), needs("quota"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		const memory = 48 << 20 // bytes; an idle peer holds 20 MiB
		file := fixtures.Layer64M

		By("limiting the memory of a peer, and downloading on it")
		bed.Inject(ctx, fault.MemoryLimit{Nodes: bed.Peers()[:1], Bytes: memory})
		Expect(bed.Download(ctx, bed.Peers()[0], file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Members(ctx)).To(ContainElement("peer-1"))
	}, SpecTimeout(harness.Spec))

	const (
		few  = 64  // descriptors: several times what an idle node has open
		many = 200 // connections: more than that
	)

	// Seen red: with a seed that stops listening for good, only the backup serves from then on.
	It("of descriptors, as somebody leaks connections to a seed, is passed over until they are closed", kills("accept-gives-up"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().Descriptors(few, "seed-1"))
		primary, peer := bed.Seeds()[0], bed.Peers()[0]

		By("holding more connections to the primary seed than it has descriptors, and downloading")
		hog := bed.Inject(ctx, fault.FDHog{From: bed.Peers()[2], On: primary, Port: 65002, Connections: many})
		Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
		Eventually(ctx, bed.Diagnoses(primary)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(HaveField("Cause", tooMany)))

		By("closing them")
		hog.Heal(ctx)
		Eventually(ctx, bed.Parents).WithTimeout(bed.Bounds().Rejoin).Should(ContainElement(primary.Name))
		gave, err := bed.Served(primary)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, gives(bed, primary, bed.Peers()[1])).WithTimeout(bed.Bounds().Rejoin+bed.Bounds().Forgive).Should(BeNumerically(">", gave+fixtures.Fresh(1).Size/2), "what the primary gives again")
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a peer that stops listening for good.
	It("of descriptors, as somebody leaks connections to a peer, costs nobody a file, and is a parent again when they are closed", kills("accept-gives-up"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().Descriptors(few, "peer-1").Located("b", "peer-1", "peer-2"))
		sick, near := bed.Peers()[0], bed.Peers()[1]

		By("holding more connections to a peer than it has descriptors, and downloading on it and on another")
		hog := bed.Inject(ctx, fault.FDHog{From: bed.Peers()[2], On: sick, Port: 65002, Connections: many})
		Eventually(ctx, bed.Diagnoses(sick)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(HaveField("Cause", tooMany)))
		Expect(bed.Download(ctx, sick, fixtures.Layer1M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer1M))
		Expect(bed.Download(ctx, near, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))

		By("closing them, and asking for what it has")
		hog.Heal(ctx)
		gave, err := bed.Served(sick)(ctx)
		Expect(err).NotTo(HaveOccurred())
		brought := fresh(bed, sick)
		again := fresh(bed, near)
		Eventually(ctx, func(ctx SpecContext) (int64, error) {
			_, err := brought(ctx)
			_, failed := again(ctx)
			given, unread := bed.Served(sick)(ctx)
			return given - gave, errors.Join(err, failed, unread)
		}).WithTimeout(bed.Bounds().Rejoin+bed.Bounds().Forgive).Should(BeNumerically(">", fixtures.Fresh(1).Size/2), "what it gives again")
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a supernode that does not accept again.
	It("of descriptors, as somebody leaks connections to the supernode, keeps those it has, and takes newcomers afterwards", kills("accept-gives-up"), needs("seed-order"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small().Descriptors(few, "supernode-1"))
		supernode, newcomer := bed.Supernodes()[0], bed.Peers()[1]

		By("holding more connections to the supernode than it has descriptors, and downloading")
		hog := bed.Inject(ctx, fault.FDHog{From: bed.Peers()[2], On: supernode, Port: 8002, Connections: many})
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer4M))
		Eventually(ctx, bed.Diagnoses(supernode)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(HaveField("Cause", tooMany)))

		By("closing them, and starting a peer anew")
		hog.Heal(ctx)
		bed.Replace(ctx, newcomer)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))), "who is let in afterwards")
		Eventually(ctx, fresh(bed, newcomer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	}, SpecTimeout(harness.Spec))
})
