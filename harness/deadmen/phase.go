package deadmen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness"
)

// Phase is what a run, or the bed that was aimed at, is in the middle of.
type Phase string

// The phases, in the order of a run. Opening is the session's, from its first container
// to the first bed; what has a bed and none of the others is Waiting, under a fault or
// not; Ended is a run that was over before it could be hit.
const (
	Opening     Phase = "session opening"
	Starting    Phase = "bed starting"
	Injecting   Phase = "injecting"
	Downloading Phase = "downloading"
	Healing     Phase = "healing"
	Stopping    Phase = "stopping"
	Waiting     Phase = "in between"
	Ended       Phase = "ended"
)

// aims are the phases that kills are aimed at, in turns.
var aims = []Phase{Opening, Starting, Injecting, Downloading, Healing, Stopping}

// weight is the order in which what a bed does at the same time gives it its phase: it
// heals while it stops, and injects while it downloads.
var weight = []struct {
	doing harness.Doing
	phase Phase
}{
	{harness.Healing, Healing},
	{harness.Injecting, Injecting},
	{harness.Stopping, Stopping},
	{harness.Laying, Starting},
	{harness.Downloading, Downloading},
}

// stretch is a bed, or the session under the name "", in one phase.
type stretch struct {
	bed      string
	scenario string
	phase    Phase
	from, to time.Time // to is zero while it lasts
}

// stretches cuts a journal into phases, in the order in which they began.
func stretches(marks []harness.Mark) []stretch {
	var all []stretch
	current := map[string]int{} // by bed: where in all
	open := map[string]map[harness.Doing]int{}
	for _, m := range marks {
		if open[m.Bed] == nil {
			open[m.Bed] = map[harness.Doing]int{}
		}
		if m.Done {
			open[m.Bed][m.Doing]--
		} else {
			open[m.Bed][m.Doing]++
		}
		is := phase(m.Bed, open[m.Bed], m)
		at, begun := current[m.Bed]
		if begun && all[at].phase == is {
			continue
		}
		if begun {
			all[at].to = m.At
		}
		current[m.Bed] = len(all)
		all = append(all, stretch{bed: m.Bed, scenario: m.Scenario, phase: is, from: m.At})
	}
	return all
}

func phase(bed string, open map[harness.Doing]int, last harness.Mark) Phase {
	if bed == "" {
		if open[harness.Opening] > 0 {
			return Opening
		}
		return Waiting
	}
	for _, w := range weight {
		if open[w.doing] > 0 {
			return w.phase
		}
	}
	if last.Doing == harness.Stopping {
		return Ended
	}
	return Waiting
}

// lasting finds a scenario's bed, any if it is "", that has been in a phase for so long
// and still is.
func lasting(marks []harness.Mark, aim Phase, scenario string, into time.Duration, now time.Time) (stretch, bool) {
	for _, s := range stretches(marks) {
		meant := scenario == "" || s.bed == "" || s.scenario == scenario
		if meant && s.phase == aim && s.to.IsZero() && now.Sub(s.from) >= into {
			return s, true
		}
	}
	return stretch{}, false
}

// at is the phase of a bed at a moment.
func at(marks []harness.Mark, bed string, moment time.Time) Phase {
	is := Waiting
	for _, s := range stretches(marks) {
		if s.bed == bed && !s.from.After(moment) {
			is = s.phase
		}
	}
	return is
}

// usual is how long phases last, by scenario; of the session's under the name "".
type usual map[string]map[Phase]time.Duration

// learn reads from a journal how long each phase lasted, at most where it came more than
// once.
func learn(marks []harness.Mark) usual {
	u := usual{}
	for _, s := range stretches(marks) {
		if u[s.scenario] == nil {
			u[s.scenario] = map[Phase]time.Duration{}
		}
		if !s.to.IsZero() {
			u[s.scenario][s.phase] = max(u[s.scenario][s.phase], s.to.Sub(s.from))
		}
	}
	return u
}

// of is how long a phase of a scenario lasts.
func (u usual) of(scenario string, p Phase) time.Duration {
	if p == Opening {
		scenario = ""
	}
	return u[scenario][p]
}

// longest is the scenario in which a phase lasts longest.
func (u usual) longest(p Phase, scenarios []string) string {
	return slices.MaxFunc(scenarios, func(a, b string) int { return cmp.Compare(u.of(a, p), u.of(b, p)) })
}

// String is the shortest and the longest of each phase, in the order of a run.
func (u usual) String() string {
	words := make([]string, len(aims))
	for i, p := range aims {
		var all []time.Duration
		for _, phases := range u {
			if d, known := phases[p]; known {
				all = append(all, d)
			}
		}
		if len(all) == 0 {
			all = []time.Duration{0}
		}
		words[i] = fmt.Sprintf("%s %.2f to %.2f s", p, slices.Min(all).Seconds(), slices.Max(all).Seconds())
	}
	return strings.Join(words, ", ")
}

// median is 0 for none.
func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
