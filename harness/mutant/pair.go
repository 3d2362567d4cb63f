package mutant

import (
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// Pair is a scenario that was run against a mutant, and what came of it.
type Pair struct {
	Scenario string          `json:"scenario"`
	Family   string          `json:"family"`
	Declared bool            `json:"declared"` // by the scenario: it must kill
	Verdict  history.Verdict `json:"verdict"`
	Reason   string          `json:"reason"`
	Killed   bool            `json:"killed"`
	TookMS   int64           `json:"took_ms"`
	Run      string          `json:"run"` // folder of the run, from that of the report
}

// Judge says what a scenario's end means for the mutant that it was run against. Only a
// FAIL whose reason is about what is broken is a kill: a scenario that fails for another
// reason, or proves nothing, has not noticed. The reason is looked at as it is shown, in
// one line.
func (m Mutant) Judge(s history.Scenario) Pair {
	return Pair{
		Scenario: s.Name, Family: report.Family(s.Labels), Declared: slices.Contains(Declared(s.Labels), m.Name),
		Verdict: s.Verdict, Reason: s.Reason, TookMS: s.WallMS,
		Killed: s.Verdict == history.Fail && m.Seen.MatchString(oneLine(s.Reason)),
	}
}

// Fate is how the mutant fares by this pair, in one line.
func (p Pair) Fate() string {
	fate := "alive: " + string(p.Verdict)
	switch {
	case p.Killed:
		fate = "killed"
	case p.Verdict == history.Fail:
		fate += " for another reason"
	}
	if reason := oneLine(p.Reason); reason != "" {
		fate += ": " + reason
	}
	return fate
}

// Unjudged says that the machine or the harness failed: the pair says nothing.
func (p Pair) Unjudged() bool { return p.Verdict == history.Infra }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
