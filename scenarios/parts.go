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

// What is known to be wanted can be brought ahead of time, and who wants little of a file
// pays for little.
var _ = Describe("A file", storage, func() {
	// Seen red: with a preheat that does not wait, seeds have nothing when the origin goes.
	It("that a seed was preheated with outlives its origin", kills("preheat-says-done-at-once"), needs("preheat"), smoke, func(ctx SpecContext) {
		const originRate = 4 << 20 // bytes/s: the file takes a second
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().OriginLimited(originRate))
		file := fixtures.Layer4M

		By("preheating a seed")
		Expect(bed.Preheat(ctx, bed.Seeds()[0], file)).To(Succeed())

		By("taking the origin away")
		bed.Inject(ctx, fault.BlockPort{Links: fault.Into(bed.Origin()).Port(80), How: fault.Refused})

		By("downloading")
		Expect(bed.Download(ctx, bed.Peers()[0], file).Wait(ctx)).To(SatisfyAll(judge.BeIntact(file), judge.ComeFromSwarm()))
	}, SpecTimeout(harness.Spec))

	// Seen red: with peers that preheat like seeds, it succeeds.
	It("is brought ahead of time by seeds only", kills("preheats-without-being-a-seed"), needs("preheat"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())

		By("preheating a peer")
		Expect(bed.Preheat(ctx, bed.Peers()[0], fixtures.Layer1M)).To(MatchError(ContainSubstring("no seed")))
	}, SpecTimeout(harness.Spec))

	// Seen red: with all pieces taken for needed, twenty times as much comes.
	It("of which a part is asked for costs that part", kills("ranges-shifted"), needs("parts"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		file := fixtures.Layer64M // of pieces of 1 MiB

		By("fetching bytes that lie in two pieces")
		const offset, length, pieces = 30<<20 - 10, 20, 2 << 20
		from, err := bed.FetchParts(ctx, bed.Peers()[0], file, harness.Part{Offset: offset, Length: length})
		Expect(err).NotTo(HaveOccurred())
		// Headers, and one byte of the origin's to learn the length, are some more.
		Expect(from.Total()).To(And(BeNumerically(">=", pieces), BeNumerically("<", pieces*5/4)))
	}, SpecTimeout(harness.Spec))

	// Seen red: with a run that brings what it began with and no more, the later part comes from the origin.
	It("of which parts are asked for at the same moment is brought once", kills("second-part-of-a-running-download-forgotten"), needs("parts"), func(ctx SpecContext) {
		const originRate = 2 << 20 // bytes/s: the parts come a second apart
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny().OriginLimited(originRate))

		By("fetching its first piece and its last")
		from, err := bed.FetchParts(ctx, bed.Peers()[0], fixtures.Layer4M, harness.Part{Length: 1000}, harness.Part{Offset: 4<<20 - 1000, Length: 1000})
		Expect(err).NotTo(HaveOccurred())
		Expect(from.Origin).To(BeZero())
	}, SpecTimeout(harness.Spec))

	// Seen red: with an answer that is read from its beginning, another part comes.
	It("of which a part is asked for while only an origin without ranges has it is got from there", kills("whole-answer-taken-for-the-range"), needs("parts"), needs("origin-errors"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())

		By("taking the seeds away, and fetching what lies in its last piece")
		bed.Inject(ctx, fault.Unreachable{Nodes: bed.Seeds(), How: fault.Refused})
		came, err := bed.FetchParts(ctx, bed.Peers()[0], from(fixtures.Layer4M, "no-ranges"), harness.Part{Offset: 4<<20 - 1000, Length: 1000})
		Expect(err).NotTo(HaveOccurred())
		Expect(came.Origin).To(BeNumerically(">=", 4<<20))
	}, SpecTimeout(harness.Spec))

	// Seen red: without a digest to hold it against, it is taken.
	It("that is not what was promised is refused by everybody", kills("file-digest-skipped"), needs("origin-errors"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		wrong := fixtures.Layer1M
		wrong.SHA256 = fixtures.Layer4M.SHA256

		By("downloading with another file's digest")
		Expect(bed.Download(ctx, bed.Peers()[0], wrong).Wait(ctx)).To(SatisfyAll(
			HaveField("Error", ContainSubstring("exit status 2")), HaveField("Bytes", BeZero())), "what is said of a wrong file")
	}, SpecTimeout(harness.Spec))
})
