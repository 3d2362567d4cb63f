package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// An origin that misbehaves costs nobody more than the file that it spoils: the download
// ends in time, says why, leaves nothing half, and the next file comes as ever.
var _ = Describe("An origin that misbehaves", origin, needs("origin-errors"), func() {
	file := fixtures.Layer1M
	const (
		once  = 2  // what is refused is not asked for again, but by who had not heard of it
		often = 30 // what may change is, with pauses
	)

	// Seen red: 404, close-early and lies-short with an origin that does not know them.
	DescribeTable("is told from one that serves", func(ctx SpecContext, misbehaves string, why string, most int) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer, spoiled := bed.Peers()[0], from(file, misbehaves)

		By("asking for a file that it spoils")
		outcome, err := bed.Download(ctx, peer, spoiled).Wait(ctx)
		Expect(outcome, err).NotTo(judge.BeIntact(spoiled))
		Expect(outcome).To(SatisfyAll(HaveField("Error", SatisfyAll(ContainSubstring("origin origin-1:80"), ContainSubstring(why))), HaveField("Bytes", BeZero())), "what is said of the origin")

		By("reading that what will not change was asked for once by each")
		for _, n := range append(bed.Seeds(), bed.Peers()...) {
			asked, err := bed.Diagnoses(n)(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(attempts(asked, "origin")).To(BeNumerically("<=", most), "attempts of "+n.Name)
		}

		By("asking for one that it serves")
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Forgive).Should(judge.ComeFromSwarm()) // seeds that passed on what was spoiled are forgiven first
	},
		Entry("not found", kills("origin-refusal-not-believed"), smoke, "404", "exit status 3", once, SpecTimeout(harness.Spec)),
		Entry("forbidden", kills("origin-refusal-not-believed"), "403", "exit status 3", once, SpecTimeout(harness.Spec)),
		Entry("broken", kills("origin-tried-for-ever"), "500", "status 500", often, SpecTimeout(harness.Spec)),
		Entry("closes early", kills("origin-tried-for-ever"), "close-early", "EOF", often, SpecTimeout(harness.Spec)),
		Entry("states too long a length", kills("origin-tried-for-ever"), "lies-long", "EOF", often, SpecTimeout(harness.Spec)),
		Entry("states too short a length", kills("file-digest-skipped"), "lies-short", "exit status 2", often, SpecTimeout(harness.Spec)),
		Entry("silent", long, kills("origin-tried-for-ever", "pieces-without-deadline"), "silent", "stalled", often, SpecTimeout(harness.Spec)),
		Entry("sends a page for people", kills("file-digest-skipped"), "html", "exit status 2", often, SpecTimeout(harness.Spec)),
		Entry("sends on for ever", kills("endless-redirects-not-named"), "loop", "sent on more than", often, SpecTimeout(harness.Spec)),
	)

	// Seen red: with zeros for what the origin did not send, the proxy's answer looks whole.
	DescribeTable("is no reason for a proxy to pass on what is not whole", kills("truncated-answers-accepted"), func(ctx SpecContext, misbehaves string) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())

		By("asking a proxy, without a digest to hold the answer against")
		Expect(bed.DownloadVia(ctx, bed.Peers()[1], bed.Peers()[0], proxyPort, from(file, misbehaves)).Wait(ctx)).To(HaveField("Error", Not(BeEmpty())), "passed on though it is not whole")
	},
		Entry("closes early", "close-early", SpecTimeout(harness.Spec)),
		Entry("states too long a length", "lies-long", SpecTimeout(harness.Spec)),
	)

	// Seen red: with redirects that are not followed, the second one does not arrive.
	DescribeTable("in a way that can be lived with costs nobody the file", func(ctx SpecContext, misbehaves string) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		odd := from(file, misbehaves)

		By("asking for the file on two peers")
		for _, peer := range bed.Peers()[:2] {
			Expect(bed.Download(ctx, peer, odd).Wait(ctx)).To(SatisfyAll(judge.BeIntact(odd), judge.ComeFromSwarm()))
		}
	},
		Entry("knows no ranges", kills("ranges-demanded"), "no-ranges", SpecTimeout(harness.Spec)),
		Entry("sends on", kills("redirects-not-followed"), "redirect", SpecTimeout(harness.Spec)),
	)
})

// from is a file asked for in such a way that the origin misbehaves: see images/origin.
func from(file fixtures.File, misbehaves string) fixtures.File {
	file.Name += "?fault=" + misbehaves
	return file
}
