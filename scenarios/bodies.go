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

// Files travel as bodies of HTTP. One that ends early, or not at all, is taken elsewhere
// or asked for again; nothing that is not whole is taken for whole, and the log names who
// gave it, and how it ended.
var _ = Describe("A body of HTTP", told, needs("causes"), func() {
	const halfway = 100_000 // bytes of a piece of 256 KiB

	// Seen red: with resets told as closed; with the port of the parent's calls named instead of that of its pieces.
	DescribeTable("that breaks off within a piece is taken from another parent, and the one that gave it is named:", func(ctx SpecContext, broken func(fault.Links) fault.Fault, cause string) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("bringing the file to a seed and to a peer, who has little to give")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))
		seed := bed.SeedAtWork(ctx)
		const thin = 400_000 // bytes/s over each of eight connections: the file takes more than a second
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(append(others(bed.Seeds(), seed), bed.Peers()[1:]...)...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})

		By("breaking the bodies of what the seed gives, and downloading")
		bed.Inject(ctx, broken(fault.From(peer).To(seed).Port(65002)))
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromPeers()))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(diagnosis("piece", seed.Name+":65002", cause)))
		Expect(bed.Diagnoses(peer)(ctx)).To(HaveEach(diagnosis("piece", seed.Name+":65002", cause)))
	},
		Entry("reset", kills("resets-logged-as-closed"), func(l fault.Links) fault.Fault { return fault.Reset{Links: l, After: halfway} }, "reset", SpecTimeout(harness.Spec)),
		Entry("cut short", kills("piece-failure-names-grpc-port"), func(l fault.Links) fault.Fault { return fault.LimitData{Links: l, After: halfway} }, "closed", SpecTimeout(harness.Spec)),
	)

	// Seen red: with transfers that are waited for, the piece comes from elsewhere and the log says nothing.
	It("that stalls within a piece is noticed and named, and taken from another parent", kills("pieces-without-deadline"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, file := bed.Peers()[0], fixtures.Layer4M

		By("bringing the file into the swarm, and thinning what everybody gives")
		Expect(bed.Download(ctx, bed.Peers()[1], file).Wait(ctx)).To(judge.BeIntact(file))
		seed := bed.SeedAtWork(ctx)
		const thin = 100_000 // bytes/s over each of eight connections: the file takes 5 s, each piece more than 2 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(peer).To(append(bed.Seeds(), bed.Peers()[1:]...)...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})

		By("getting into a download, and stalling what the seed gives")
		before, err := bed.Served(seed)(ctx)
		Expect(err).NotTo(HaveOccurred())
		download := bed.Download(ctx, peer, file)
		Eventually(ctx, bed.Served(seed)).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", before+halfway))
		bed.Inject(ctx, fault.Stall{Links: fault.From(peer).To(seed).Port(65002), Direction: fault.Downstream})
		bed.UnderWay(download)

		By("finishing, and reading the log")
		Expect(download.Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Diagnoses(peer)(ctx)).To(ContainElement(diagnosis("piece", seed.Name+":65002", "stalled")))
	}, SpecTimeout(harness.Spec))

	// Seen red: cut short, with zeros for what did not come; reset, with resets told as closed.
	// The file has four pieces, and one comes whole in each answer: asked from the beginning again, it
	// would never be there.
	DescribeTable("that breaks off on its way from the origin is asked for again from there:", func(ctx SpecContext, broken func(fault.Links) fault.Fault, cause string) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		file := fixtures.Layer1M

		By("breaking what the origin sends to seeds, and downloading")
		bed.Inject(ctx, broken(fault.From(bed.Seeds()...).To(bed.Origin())))
		Expect(bed.Download(ctx, bed.Peers()[0], file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Diagnoses(bed.SeedAtWork(ctx))(ctx)).To(ContainElement(diagnosis("origin", "origin-1:80", cause)))
	},
		Entry("reset", kills("resets-logged-as-closed"), func(l fault.Links) fault.Fault { return fault.Reset{Links: l, After: 4 * halfway} }, "reset", SpecTimeout(harness.Spec)),
		Entry("cut short", kills("truncated-answers-accepted"), func(l fault.Links) fault.Fault { return fault.LimitData{Links: l, After: 4 * halfway} }, "closed", SpecTimeout(harness.Spec)),
	)

	// Seen red: with the first bytes that come taken for the piece.
	DescribeTable("in crumbs is taken as it comes, and blames nobody:", kills("first-read-taken-for-all"), func(ctx SpecContext, file fixtures.File, size, vary int) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]

		By("slicing what parents give, and downloading")
		bed.Inject(ctx, fault.Slice{Links: fault.From(peer).To(append(bed.Seeds(), bed.Peers()[1:]...)...).Port(65002), Bytes: size, Vary: vary, Direction: fault.Downstream})
		Expect(bed.Download(ctx, peer, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Diagnoses(peer)(ctx)).NotTo(ContainElement(HaveField("Step", "piece")))
	},
		Entry("single bytes", fixtures.Manifest, 1, 0, SpecTimeout(harness.Spec)),
		Entry("a few bytes at a time", fixtures.Layer1M, 32, 31, SpecTimeout(harness.Spec)), // single ones would take a core for seconds
	)
})
