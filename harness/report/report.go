// Package report says how a run ended: an exit status, a table for the terminal, a
// page (summary.md) and a file for machines (junit.xml). Its functions are pure and
// know a run only as history.Run; nothing here decides a verdict.
package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// Exit statuses of a run.
const (
	ExitPass         = 0
	ExitFail         = 1
	ExitInconclusive = 2
	ExitInfra        = 3
	// ExitUsage is for what the user got wrong, as sysexits.h has it.
	ExitUsage = 64
	// ExitInterrupted is what a shell gives to a command that Ctrl-C ended.
	ExitInterrupted = 130
)

// Verdicts from the worst to the best.
var Verdicts = []history.Verdict{
	history.Fail, history.Infra, history.Inconclusive, history.Known, history.NotApplicable, history.Pass,
}

// Green says whether nobody has to act on a verdict.
func Green(v history.Verdict) bool {
	return v == history.Pass || v == history.Known || v == history.NotApplicable
}

// ExitStatus is the status that a run's scenarios add up to: a broken promise weighs
// most, then a broken machine, then a run that proves nothing. No scenario at all
// proves nothing either, nor do scenarios of which none applies.
func ExitStatus(scenarios []history.Scenario) int {
	n := Count(scenarios)
	switch {
	case n[history.Fail] > 0:
		return ExitFail
	case n[history.Infra] > 0:
		return ExitInfra
	case n[history.Pass]+n[history.Known]+n[history.NotApplicable] != len(scenarios):
		return ExitInconclusive
	case n[history.NotApplicable] == len(scenarios):
		return ExitInconclusive
	default:
		return ExitPass
	}
}

// Counts is how many scenarios ended in each verdict.
type Counts map[history.Verdict]int

// Count counts verdicts.
func Count(scenarios []history.Scenario) Counts {
	n := Counts{}
	for _, s := range scenarios {
		n[s.Verdict]++
	}
	return n
}

// familyPrefix marks the label that says which family of faults a scenario is about.
const familyPrefix = "family:"

// noFamily is where scenarios without that label go.
const noFamily = "other"

// Family is the value of a scenario's first label `family:x`.
func Family(labels []string) string {
	for _, l := range labels {
		if name, ok := strings.CutPrefix(l, familyPrefix); ok {
			return strings.TrimSpace(name)
		}
	}
	return noFamily
}

// families groups scenarios by family, in the order of names.
func families(scenarios []history.Scenario) (names []string, by map[string][]history.Scenario) {
	by = map[string][]history.Scenario{}
	for _, s := range scenarios {
		name := Family(s.Labels)
		if by[name] == nil {
			names = append(names, name)
		}
		by[name] = append(by[name], s)
	}
	slices.Sort(names)
	return names, by
}

// troubles are the scenarios that did not pass, the worst first; last come those that
// passed though their release is known not to.
func troubles(scenarios []history.Scenario) []history.Scenario {
	var bad []history.Scenario
	for _, s := range scenarios {
		if s.Verdict != history.Pass || s.Reason != "" {
			bad = append(bad, s)
		}
	}
	slices.SortStableFunc(bad, func(a, b history.Scenario) int {
		return cmp.Compare(slices.Index(Verdicts, a.Verdict), slices.Index(Verdicts, b.Verdict))
	})
	return bad
}

func wall(scenarios []history.Scenario) (ms int64) {
	for _, s := range scenarios {
		ms += s.WallMS
	}
	return ms
}

func secondsOf(ms int64) float64 { return float64(ms) / 1000 }
