// Package faultbed_test is the suite's bootstrap: it opens the session that all beds
// share, runs the scenarios, and writes a record for each as it ends. `make scenarios`
// is the way to run it; `go test .` and ginkgo work too.
package faultbed_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/known"
	"github.com/faultbed/faultbed/harness/report"
	_ "github.com/faultbed/faultbed/scenarios"
)

var (
	options harness.Options
	session *harness.Session
)

func TestMain(m *testing.M) {
	harness.Undertake()
	m.Run()
}

func TestScenarios(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyPollingInterval(harness.Poll)
	SetDefaultConsistentlyPollingInterval(harness.Poll)
	EnforceDefaultTimeoutsWhenUsingContexts()
	var err error
	if options, err = harness.OptionsFromEnv(); err != nil {
		t.Fatal(err)
	}
	if options.Known, err = known.Read(options.Root, options.System); err != nil {
		t.Fatal(err)
	}
	harness.DieWith(options.Parent)
	RunSpecs(lenient{t}, "Faultbed")
}

// What this process has seen so far, beside what ginkgo counts.
var (
	excused int  // scenarios that failed as a known issue says
	red     int  // all else that failed
	whole   bool // the first process has looked at the suite around its scenarios, too
)

// lenient is the test that ginkgo fails. For ginkgo a scenario has failed when an
// assertion in it has, and a report cannot take that back; where every failure was
// KNOWN, the suite has not failed all the same.
type lenient struct{ *testing.T }

func (l lenient) Fail() {
	if excused == 0 || red > 0 || GinkgoParallelProcess() == 1 && !whole {
		l.T.Fail()
	}
}

// The first process opens the session, the others attach to it.
var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	var handoff harness.Handoff
	var err error
	session, handoff, err = harness.Open(ctx, options, func(line string) { fmt.Fprintln(os.Stderr, line) })
	Expect(err).NotTo(HaveOccurred(), "open the session")
	return handoff.Write()
}, func(ctx SpecContext, text []byte) {
	if session == nil {
		handoff, err := harness.ReadHandoff(text)
		Expect(err).NotTo(HaveOccurred())
		session, err = harness.Attach(ctx, options, handoff)
		Expect(err).NotTo(HaveOccurred(), "attach to the session")
	}
	harness.Use(session)
}, NodeTimeout(15*time.Minute)) // from an empty build cache

// The first process is the last to close.
var _ = SynchronizedAfterSuite(func(ctx SpecContext) {
	if session != nil && GinkgoParallelProcess() != 1 {
		red++ // until it is closed
		Expect(session.Close(ctx)).To(Succeed())
		red--
	}
}, func(ctx SpecContext) {
	if session != nil {
		Expect(session.Close(ctx)).To(Succeed(), "close the session")
	}
}, NodeTimeout(2*time.Minute))

// A scenario that needs what the system lacks does not begin.
var _ = BeforeEach(func() {
	if reason := session.Lacks(CurrentSpecReport().Labels()); reason != "" {
		Skip(reason)
	}
})

var _ = ReportAfterEach(func(_ SpecContext, spec SpecReport) {
	if session == nil || spec.State.Is(types.SpecStatePending) {
		return
	}
	lacks := ""
	if spec.State.Is(types.SpecStateSkipped) {
		if spec.Failure.Message != "" { // else the filters have not chosen it
			lacks = session.Lacks(spec.Labels())
		}
		if lacks == "" && !session.Unavailable() {
			return // what skips itself for another reason proves nothing, and leaves no record
		}
	}
	red++ // until its record says otherwise
	outcome := harness.Outcome{
		Name: spec.FullText(), Labels: spec.Labels(), Took: spec.RunTime, Lacks: lacks,
		Location: strings.TrimPrefix(spec.LeafNodeLocation.String(), options.Root+"/"),
		By:       map[time.Time]string{},
	}
	for _, event := range spec.SpecEvents.WithType(types.SpecEventByStart) {
		outcome.By[event.TimelineLocation.Time] = event.Message
	}
	switch {
	case spec.State.Is(types.SpecStatePanicked):
		outcome.Broken = "panic: " + spec.Failure.ForwardedPanic
	case spec.State.Is(types.SpecStateInterrupted | types.SpecStateAborted):
		outcome.Broken = "interrupted"
	case spec.Failed():
		outcome.Failure = spec.Failure.Message
	}
	record, err := session.Conclude(outcome)
	Expect(err).NotTo(HaveOccurred())
	Expect(record.Verdict).To(Satisfy(report.Green), record.Reason)
	red--
	if spec.Failed() {
		excused++
	}
})

var _ = ReportAfterSuite("the suite around its scenarios", func(_ SpecContext, suite Report) {
	red += len(suite.SpecialSuiteFailureReasons)
	for _, node := range suite.SpecReports {
		if node.Failed() && !node.LeafNodeType.Is(types.NodeTypeIt) {
			red++
		}
	}
	whole = true
})
