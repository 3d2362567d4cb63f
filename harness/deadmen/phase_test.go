package deadmen

import (
	"slices"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness"
)

// second is a moment of the journal below.
func second(s float64) time.Time {
	return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second)))
}

// story is a journal of two beds: b injects while it downloads and is healed when it is
// put away, a heals by itself.
var story = []harness.Mark{
	{At: second(1), Doing: harness.Opening},
	{At: second(2), Doing: harness.Opening, Done: true},
	{At: second(2), Bed: "b", Scenario: "B", Doing: harness.Laying},
	{At: second(3), Bed: "a", Scenario: "A", Doing: harness.Laying},
	{At: second(5), Bed: "b", Scenario: "B", Doing: harness.Laying, Done: true},
	{At: second(6), Bed: "b", Scenario: "B", Doing: harness.Downloading},
	{At: second(6.5), Bed: "a", Scenario: "A", Doing: harness.Laying, Done: true},
	{At: second(7), Bed: "b", Scenario: "B", Doing: harness.Injecting},
	{At: second(7.5), Bed: "a", Scenario: "A", Doing: harness.Injecting},
	{At: second(8), Bed: "b", Scenario: "B", Doing: harness.Injecting, Done: true},
	{At: second(8.2), Bed: "a", Scenario: "A", Doing: harness.Injecting, Done: true},
	{At: second(9), Bed: "a", Scenario: "A", Doing: harness.Healing},
	{At: second(9.1), Bed: "a", Scenario: "A", Doing: harness.Healing, Done: true},
	{At: second(10), Bed: "b", Scenario: "B", Doing: harness.Downloading, Done: true},
	{At: second(11), Bed: "b", Scenario: "B", Doing: harness.Stopping},
	{At: second(11), Bed: "b", Scenario: "B", Doing: harness.Healing},
	{At: second(11.6), Bed: "b", Scenario: "B", Doing: harness.Healing, Done: true},
	{At: second(13), Bed: "b", Scenario: "B", Doing: harness.Stopping, Done: true},
}

func TestPhases(t *testing.T) {
	var got []Phase
	for _, s := range stretches(story) {
		if s.bed == "b" {
			got = append(got, s.phase)
		}
	}
	want := []Phase{Starting, Waiting, Downloading, Injecting, Downloading, Waiting, Stopping, Healing, Stopping, Ended}
	if !slices.Equal(got, want) {
		t.Errorf("b goes through %v, want %v", got, want)
	}
	for moment, want := range map[float64]Phase{2.5: Starting, 5.5: Waiting, 7.9: Injecting, 9: Downloading, 11.3: Healing, 12: Stopping, 14: Ended} {
		if got := at(story, "b", second(moment)); got != want {
			t.Errorf("b is %s at %.1f s, want %s", got, moment, want)
		}
	}
}

func TestLasting(t *testing.T) {
	for name, tc := range map[string]struct {
		marks    int // of the story, so far
		aim      Phase
		scenario string
		into     float64
		now      float64
		want     string // the bed; "-" for none
	}{
		"the session":                   {1, Opening, "A", 0.5, 1.6, ""},
		"the session, too early":        {1, Opening, "A", 0.5, 1.4, "-"},
		"the session, too late":         {2, Opening, "A", 0.5, 2.6, "-"},
		"whichever bed is first":        {4, Starting, "", 0.1, 4, "b"},
		"the scenario's own":            {4, Starting, "A", 0.1, 4, "a"},
		"a phase that came again":       {10, Downloading, "B", 0.8, 8.9, "b"},
		"counted from its latest":       {10, Downloading, "B", 0.8, 8.7, "-"},
		"not while something weightier": {8, Downloading, "B", 0, 7.2, "-"},
		"while it stops":                {16, Healing, "B", 0.3, 11.4, "b"},
	} {
		s, ok := lasting(story[:tc.marks], tc.aim, tc.scenario, time.Duration(tc.into*float64(time.Second)), second(tc.now))
		got := s.bed
		if !ok {
			got = "-"
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestUsual(t *testing.T) {
	u := learn(story)
	for _, tc := range []struct {
		scenario string
		phase    Phase
		want     time.Duration
	}{
		{"A", Opening, time.Second},
		{"B", Downloading, 2 * time.Second}, // the longest of its stretches
		{"B", Stopping, 1400 * time.Millisecond},
		{"A", Healing, 100 * time.Millisecond},
		{"A", Stopping, 0},
	} {
		if got := u.of(tc.scenario, tc.phase); got.Round(time.Millisecond) != tc.want {
			t.Errorf("%s of %s: %s, want %s", tc.phase, tc.scenario, got, tc.want)
		}
	}
	if got := u.longest(Healing, []string{"A", "B"}); got != "B" {
		t.Errorf("heals longest: %s", got)
	}
}

func TestPhaseOfAKillWhileTheSessionOpens(t *testing.T) {
	opening := stretch{phase: Opening}
	for moment, want := range map[float64]Phase{1.5: Opening, 2.5: Starting, 7.5: Injecting} {
		if got := phaseAt(story, opening, second(moment)); got != want {
			t.Errorf("%s at %.1f s, want %s", got, moment, want)
		}
	}
}
