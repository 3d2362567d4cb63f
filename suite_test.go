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
	"github.com/faultbed/faultbed/harness/history"
	_ "github.com/faultbed/faultbed/scenarios"
)

var (
	options harness.Options
	session *harness.Session
)

func TestScenarios(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyPollingInterval(harness.Poll)
	SetDefaultConsistentlyPollingInterval(harness.Poll)
	EnforceDefaultTimeoutsWhenUsingContexts()
	var err error
	if options, err = harness.OptionsFromEnv(); err != nil {
		t.Fatal(err)
	}
	harness.DieWith(options.Parent)
	RunSpecs(t, "Faultbed")
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
		Expect(session.Close(ctx)).To(Succeed())
	}
}, func(ctx SpecContext) {
	if session != nil {
		Expect(session.Close(ctx)).To(Succeed(), "close the session")
	}
}, NodeTimeout(2*time.Minute))

var _ = ReportAfterEach(func(_ SpecContext, report SpecReport) {
	if session == nil || report.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
		return
	}
	outcome := harness.Outcome{
		Name: report.FullText(), Labels: report.Labels(), Took: report.RunTime,
		Location: strings.TrimPrefix(report.LeafNodeLocation.String(), options.Root+"/"),
		By:       map[time.Time]string{},
	}
	for _, event := range report.SpecEvents.WithType(types.SpecEventByStart) {
		outcome.By[event.TimelineLocation.Time] = event.Message
	}
	switch {
	case report.State.Is(types.SpecStatePanicked):
		outcome.Broken = "panic: " + report.Failure.ForwardedPanic
	case report.State.Is(types.SpecStateInterrupted | types.SpecStateAborted):
		outcome.Broken = "interrupted"
	case report.Failed():
		outcome.Failure = report.Failure.Message
	}
	record, err := session.Conclude(outcome)
	Expect(err).NotTo(HaveOccurred())
	Expect(record.Verdict).To(Equal(history.Pass), record.Reason)
})
