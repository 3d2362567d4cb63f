package deadmen

import (
	"fmt"
	"testing"
)

func TestPlanFollowsFromItsSeed(t *testing.T) {
	first, again, other := draw(7, 40, 5), draw(7, 40, 5), draw(8, 40, 5)
	if fmt.Sprint(first) != fmt.Sprint(again) {
		t.Error("the same seed draws another plan")
	}
	if fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("another seed draws the same plan")
	}
}

func TestPlanAimsAtEveryPhase(t *testing.T) {
	shots := draw(1, 40, 5)
	aimed, victims, scenarios := map[Phase]int{}, map[Victim]int{}, map[int]int{}
	for _, s := range shots {
		aimed[s.aim]++
		victims[s.victim]++
		for _, n := range s.scenarios {
			scenarios[n]++
		}
		if s.share < 0 || s.share >= 1 || len(s.scenarios) != 2 || s.scenarios[0] == s.scenarios[1] {
			t.Errorf("%+v", s)
		}
	}
	for _, p := range aims {
		if n := aimed[p]; n < 6 || n > 7 {
			t.Errorf("%d of 40 aim at %s, want 6 or 7", n, p)
		}
	}
	if victims[Everything] < 20 || len(victims) != 4 || len(scenarios) != 5 {
		t.Errorf("victims %v, scenarios %v: want mostly everything, all of each", victims, scenarios)
	}
	if one := draw(1, 1, 1); len(one) != 1 || len(one[0].scenarios) != 1 {
		t.Errorf("a plan of one kill and one scenario: %+v", one)
	}
}

func TestVictims(t *testing.T) {
	all := []process{
		{pid: 1, program: "faultbed"},
		{pid: 2, program: "ginkgo"},
		{pid: 4, program: suite, number: 2},
		{pid: 3, program: suite, number: 1},
		{pid: 5, program: suite, number: 1, undertaker: true},
		{pid: 6, program: "go"},
	}
	for _, tc := range []struct {
		victim Victim
		pick   int
		want   string
	}{
		{Everything, 0, "12436"}, {Command, 0, "1"}, {Ginkgo, 0, "2"}, {Process, 0, "3"}, {Process, 1, "4"}, {Process, 4, "3"},
	} {
		got := ""
		for _, p := range choose(all, tc.victim, tc.pick) {
			got += fmt.Sprint(p.pid)
		}
		if got != tc.want {
			t.Errorf("%s, %d: processes %s, want %s", tc.victim, tc.pick, got, tc.want)
		}
	}
	if got := choose(all[:2], Process, 3); len(got) > 0 {
		t.Errorf("chose %v among none", got)
	}
}
