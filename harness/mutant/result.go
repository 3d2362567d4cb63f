package mutant

import (
	"cmp"
	"slices"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// Result is what came of one mutant.
type Result struct {
	Name     string   `json:"name"`
	Broken   string   `json:"broken"`
	Promise  string   `json:"promise"`
	Seen     string   `json:"seen"`
	KilledBy []string `json:"killed_by"`
	Reason   string   `json:"reason"` // of the first kill; else why it is alive, or not judged
	BuildMS  int64    `json:"build_ms"`
	TookMS   int64    `json:"took_ms"` // building included
	Pairs    []Pair   `json:"pairs"`
	// Trouble is what kept the mutant from being judged.
	Trouble string `json:"trouble,omitempty"`
}

// New is a mutant of which nothing is known yet.
func New(m Mutant) Result {
	return Result{Name: m.Name, Broken: m.Broken, Promise: m.Promise, Seen: m.Seen.String(), KilledBy: []string{}, Pairs: []Pair{}}
}

// Conclude sums the pairs up.
func (r Result) Conclude() Result {
	slices.SortStableFunc(r.Pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Scenario, b.Scenario))
	})
	for _, p := range r.Pairs {
		if p.Killed {
			r.KilledBy = append(r.KilledBy, p.Scenario)
			r.Reason = cmp.Or(r.Reason, oneLine(p.Reason))
		}
	}
	switch {
	case len(r.KilledBy) > 0:
	case r.Trouble != "":
		r.Reason = "not judged: " + oneLine(r.Trouble)
	case len(r.Pairs) == 0:
		r.Reason = "not judged: no scenario was run"
	default:
		r.Reason = r.Pairs[0].Fate()
		for _, p := range r.Pairs {
			if p.Verdict != history.Pass && p.Verdict != history.NotApplicable {
				r.Reason = p.Fate() // says more
				break
			}
		}
	}
	return r
}

// Killed says that some scenario noticed.
func (r Result) Killed() bool { return len(r.KilledBy) > 0 }

// Unjudged says that the machine or the harness kept the mutant from being judged: from
// being judged at all, or by a scenario that declares it.
func (r Result) Unjudged() bool {
	if r.Trouble != "" {
		return true
	}
	return slices.ContainsFunc(r.Pairs, func(p Pair) bool { return p.Unjudged() && (p.Declared || !r.Killed()) }) ||
		len(r.Pairs) == 0
}

// Broke are the declared pairs that were judged and did not kill.
func (r Result) Broke() []Pair {
	var all []Pair
	for _, p := range r.Pairs {
		if p.Declared && !p.Killed && !p.Unjudged() {
			all = append(all, p)
		}
	}
	return all
}

// What the matrix of a report is of: the pairs that scenarios declare, or all there are.
const (
	Declares = "declared"
	Full     = "full"
)

// Report is all of it: the content of mutants.json.
type Report struct {
	Seed        int64        `json:"seed"`
	Commit      string       `json:"commit,omitempty"`
	Matrix      string       `json:"matrix"`           // Declares or Full
	Of          int          `json:"of"`               // mutants that there are
	Sample      int          `json:"sample,omitempty"` // how many were drawn
	Started     time.Time    `json:"started"`
	WallMS      int64        `json:"wall_ms"`
	Interrupted bool         `json:"interrupted,omitempty"` // before all mutants were judged
	Host        history.Host `json:"host"`
	Mutants     []Result     `json:"mutants"`
	// Idle are the scenarios that killed none of the mutants, families apart that judge
	// the bed.
	Idle []string `json:"scenarios_that_kill_nothing"`
}

// Whole says that all mutants were tried by all that should kill them, so that what kills
// nothing is worth a word.
func (r Report) Whole() bool {
	return !r.Interrupted && r.Sample == 0 && len(r.Mutants) == r.Of
}

// bedsOwn are the families that judge the bed and not the swarm.
var bedsOwn = []string{"canary", "faults"}

// OfSwarm says whether a scenario with these labels judges the swarm.
func OfSwarm(labels []string) bool { return !slices.Contains(bedsOwn, report.Family(labels)) }

// OfSwarmOnly is the same as a filter of labels.
const OfSwarmOnly = "!family:canary && !family:faults"

// FindIdle notes which of the scenarios, by name, killed nothing.
func (r *Report) FindIdle(scenarios []string) {
	r.Idle = []string{}
	for _, name := range slices.Sorted(slices.Values(scenarios)) {
		if !slices.ContainsFunc(r.Mutants, func(m Result) bool { return slices.Contains(m.KilledBy, name) }) {
			r.Idle = append(r.Idle, name)
		}
	}
}

// Survivors are the mutants that were judged and that nothing killed.
func (r Report) Survivors() []Result {
	var all []Result
	for _, m := range r.Mutants {
		if !m.Killed() && !m.Unjudged() {
			all = append(all, m)
		}
	}
	return all
}

// ExitStatus is 1 if a mutant has survived or a declared pair did not kill, 3 if one could
// not be judged, else 0.
func (r Report) ExitStatus() int {
	switch {
	case len(r.Survivors()) > 0, slices.ContainsFunc(r.Mutants, func(m Result) bool { return len(m.Broke()) > 0 }):
		return report.ExitFail
	case slices.ContainsFunc(r.Mutants, Result.Unjudged):
		return report.ExitInfra
	default:
		return report.ExitPass
	}
}
