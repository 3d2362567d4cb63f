package scenarios

import (
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// Every kind of fault can be injected on a bed: it bites, spares what is beside it, and
// goes. Left without its effect, or with more than it says, it proves nothing, and that
// is what the run then says. Seen red: the two canaries below are the same with the effect
// left out, and with too much of it.
var _ = Describe("The catalogue of faults", faults, needs("long-answers"), func() {
	entries := func(table string, quick Labels, body any) {
		DescribeTable(table, long, body,
			Entry("of packets", packetTrials, SpecTimeout(harness.Spec)),
			Entry("of refusals", quick, refusalTrials, SpecTimeout(harness.Spec)),
			Entry("of streams", streamTrials, SpecTimeout(harness.Spec)),
			Entry("of names", nameTrials, SpecTimeout(harness.Spec)),
			Entry("of processes", processTrials, SpecTimeout(harness.Spec)),
		)
	}
	start := func(ctx SpecContext) *harness.Bed {
		return harness.Start(ctx, GinkgoTB(), topology.Small().Disk(diskSize, "seed-1", "seed-2", "peer-1", "peer-2", "peer-3"))
	}

	entries("bites, spares the rest, and goes", smoke, func(ctx SpecContext, trials func(*harness.Bed) []trial) {
		bed := start(ctx)
		for _, t := range trials(bed) {
			bed.Inject(ctx, t.of).Heal(ctx)
		}
	})

	// Seen red, in harness/fault: with a flapping fault taken for another kind, it is not refused.
	It("composes on one link, heals in any order, and is refused twice", func(ctx SpecContext) {
		bed := start(ctx)
		link := fault.From(bed.Peers()[0]).To(bed.Seeds()[0]).Port(65002)

		By("slowing a link down, losing some of its packets, and bounding its rate")
		delay := bed.Inject(ctx, fault.Delay{Links: link, By: 200 * time.Millisecond, Direction: fault.Downstream})
		loss := bed.Inject(ctx, fault.Loss{Links: link, Percent: 5, Direction: fault.Downstream})
		rate := bed.Inject(ctx, fault.Rate{Links: link, BytesPerSecond: 500_000, Direction: fault.Downstream})

		By("slowing it down once more")
		Expect(inconclusive(bed, ctx, fault.Flap{
			Of: fault.Delay{Links: link, By: time.Second, Direction: fault.Downstream}, Period: time.Second, Duty: 0.5,
		}, "in force already")).To(BeEmpty())

		By("healing the first before the others, and downloading")
		delay.Heal(ctx)
		rate.Heal(ctx)
		loss.Heal(ctx)
		Expect(bed.Download(ctx, bed.Peers()[0], fixtures.Layer4M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer4M))
	}, SpecTimeout(harness.Spec))

	entries("without its effect is INCONCLUSIVE", Label(), func(ctx SpecContext, trials func(*harness.Bed) []trial) {
		const sideBySide = 4 // what has no effect disturbs nobody, but their probes take time
		bed := start(ctx)
		var all sync.WaitGroup
		turns := make(chan struct{}, sideBySide)
		list := trials(bed)
		failures := make([]string, len(list))
		for i, t := range list {
			all.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				failures[i] = inconclusive(bed, ctx, fault.Noop{Of: t.of}, "does not bite")
			})
		}
		all.Wait()
		Expect(failures).To(HaveEach(BeEmpty()))
	})

	entries("with more effect than it says is INCONCLUSIVE", Label(), func(ctx SpecContext, trials func(*harness.Bed) []trial) {
		bed := start(ctx)
		for _, t := range trials(bed) {
			Expect(inconclusive(bed, ctx, fault.Spill{Of: t.of, Over: t.over}, "control")).To(BeEmpty())
		}
	})
})

// inconclusive tries a fault and says what is wrong if it proves something, or nothing for
// another reason.
func inconclusive(bed *harness.Bed, ctx SpecContext, f fault.Fault, because string) string {
	verdict, reason := bed.Try(ctx, f)
	if verdict == history.NotApplicable {
		return ""
	}
	if matched, _ := ContainSubstring(because).Match(reason); verdict != history.Inconclusive || !matched {
		return fmt.Sprintf("%s on %s: %s %q, want %s because of %q", f.Kind(), f.Target(), verdict, reason, history.Inconclusive, because)
	}
	return ""
}
