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

// A peer holds no more than it may, and nobody is sent to it for what it gave up.
var _ = Describe("A full quota", storage, needs("quota"), func() {
	// Seen red: without a quota it still serves what it should have given up. That evictions
	// are announced at once shows in the tests of the swarm only: whoever is sent for what is
	// gone hears so, and asks elsewhere.
	It("makes room by what was not used for longest", kills("quota-ignored"), func(ctx SpecContext) {
		const quota = 5 << 20 // the layer of 4 MiB and one file of 1 MiB, not two
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().Located("b", "peer-1", "peer-2").Quota(quota, "peer-1"))
		full, next, file := bed.Node("peer-1"), bed.Node("peer-2"), fixtures.Layer4M

		By("filling the quota of a peer, and once more")
		for _, f := range []fixtures.File{file, fixtures.Fresh(1), fixtures.Fresh(2)} {
			Expect(bed.Download(ctx, full, f).Wait(ctx)).To(judge.BeIntact(f))
		}
		served, err := bed.Served(full)(ctx)
		Expect(err).NotTo(HaveOccurred())

		By("downloading what it gave up on a peer near it")
		Expect(bed.Download(ctx, next, file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
		Expect(bed.Served(full)(ctx)).To(Equal(served))
		Expect(bed.Diagnoses(next)(ctx)).NotTo(ContainElement(HaveField("Step", "piece")))

		By("downloading what it kept, with a thin way to the seeds, so that they do not give it all first")
		const thin = 50_000 // bytes/s over each connection: a piece takes 5 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(next).To(bed.Seeds()...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		Expect(bed.Download(ctx, next, fixtures.Fresh(2)).Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(2)))
		Expect(bed.Served(full)(ctx)).To(BeNumerically(">", served))
	}, SpecTimeout(harness.Spec))

	// Seen red: with files that count as unused since they came, it is gone.
	It("keeps what is asked for again", kills("used-files-evicted-by-age"), func(ctx SpecContext) {
		const quota = 5 << 19 // two files of 1 MiB, not three
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().Located("b", "peer-1", "peer-2").Quota(quota, "peer-1"))
		full, next := bed.Node("peer-1"), bed.Node("peer-2")
		popular, other := fixtures.Fresh(1), fixtures.Fresh(2)

		By("filling the quota of a peer, asking for the older of two files again, and for a third one")
		for _, f := range []fixtures.File{popular, other, popular, fixtures.Fresh(3)} {
			Expect(bed.Download(ctx, full, f).Wait(ctx)).To(judge.BeIntact(f))
		}

		By("downloading on a peer near it what it kept, with a thin way to the seeds, so that they do not give it all first")
		const thin = 50_000 // bytes/s over each connection: a piece takes 5 s
		bed.Inject(ctx, fault.Bandwidth{Links: fault.From(next).To(bed.Seeds()...).Port(65002), BytesPerSecond: thin, Direction: fault.Downstream})
		served, err := bed.Served(full)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(bed.Download(ctx, next, popular).Wait(ctx)).To(judge.BeIntact(popular))
		Expect(bed.Served(full)(ctx)).To(BeNumerically(">", served), "what was used last is not there any more")
	}, SpecTimeout(harness.Spec))

	// Seen red: without a quota, the peer holds the file.
	It("is no reason to be left without a file that is too large for it", kills("quota-ignored"), func(ctx SpecContext) {
		const quota = 3 << 20
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().Quota(quota, "peer-1"))

		By("downloading more than the peer may hold")
		Expect(bed.Download(ctx, bed.Node("peer-1"), fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromOrigin()))
	}, SpecTimeout(harness.Spec))
})
