package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/explore"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

func TestARunOfPlansIsToldAgainAndWished(t *testing.T) {
	w := exploreWords{words: words{repeat: "1", evidence: "failed", profile: "fast", labels: explore.Label, seed: "42", focus: "number 3,"}, n: "20"}
	w.system = referenceName
	o, err := w.parse(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := report.Again(o.goal(), o.seed, o.chosen()), "make explore FOCUS='number 3,' N=20 SEED=42"; got != want {
		t.Errorf("again is %q, want %q", got, want)
	}
	if got := o.wishes(); !slices.Equal(got, []string{"FAULTBED_EXPLORE=42:20"}) {
		t.Errorf("wishes are %q", got)
	}
	if got := (options{}).wishes(); !slices.Equal(got, []string{"FAULTBED_EXPLORE="}) {
		t.Errorf("a run of scenarios wishes for %q", got)
	}
	w.n = ""
	if o, err = w.parse(t.TempDir()); err != nil || o.plans != 10 {
		t.Errorf("without n there are %d plans, %v", o.plans, err)
	}
}

func TestPlansThatDidNotPassAreKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "evidence", "two"), 0o755); err != nil {
		t.Fatal(err)
	}
	named := func(n int, v history.Verdict, evidence string) history.Scenario {
		return history.Scenario{Name: explore.Title + " " + explore.Draw(7, n).Name(), Verdict: v, Evidence: evidence}
	}
	r := runner{options: options{seed: 7, plans: 3}, dir: dir, run: history.Run{Scenarios: []history.Scenario{
		named(1, history.Pass, ""), named(2, history.Fail, "evidence/two"), named(3, history.Infra, ""),
	}}}
	var said bytes.Buffer
	if err := r.keepPlans(&screen{out: &said}, false); err != nil {
		t.Fatal(err)
	}
	for n, path := range map[int]string{2: "evidence/two/plan-2.go.txt", 3: "plan-3.go.txt"} {
		text, err := os.ReadFile(filepath.Join(dir, path))
		if want := explore.Draw(7, n).Literal(); err != nil || string(text) != want || !strings.Contains(said.String(), want) {
			t.Errorf("plan %d is not kept as it is, or not printed: %v", n, err)
		}
	}
	said.Reset()
	if err := r.keepPlans(&screen{out: &said}, true); err != nil || !strings.Contains(said.String(), "number 2,") || strings.Contains(said.String(), "number 3,") {
		t.Errorf("after an interruption are printed, %v:\n%s", err, &said)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.txt")); len(left) != 1 || strings.Contains(said.String(), "number 1,") {
		t.Errorf("a plan that passed is kept: %v", left)
	}
}
