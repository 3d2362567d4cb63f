package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// Every stored history ends today as it did on the day: a judge that is changed on purpose
// shows here whom it concerns.
func TestStoredHistoriesAreJudgedAsOnTheirDay(t *testing.T) {
	names, err := filepath.Glob("../../../fixtures/histories/*.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[history.Verdict]bool{}
	for _, name := range names {
		run, err := readRun(name)
		if err != nil {
			t.Fatal(err)
		}
		var issues []history.KnownIssue
		for _, s := range run.Scenarios {
			seen[s.Verdict] = true
			if s.Known != nil {
				issues = append(issues, *s.Known)
			}
		}
		var out bytes.Buffer
		var end exit
		errors.As(judgeAgain(run, issues, &out), &end)
		if want := report.ExitStatus(run.Scenarios); end.status != want || !strings.Contains(out.String(), "\n0 of ") {
			t.Errorf("%s: status %d, want %d:\n%s", name, end.status, want, &out)
		}
	}
	for _, v := range report.Verdicts {
		if !seen[v] {
			t.Errorf("no stored history ended in %s", v)
		}
	}
}

func TestOldRunIsJudgedByWhatIsKnownNow(t *testing.T) {
	laid := history.History{Started: time.Unix(1, 0)}
	red := laid
	red.Failure = "exit status 1"
	old := func() history.Run {
		return history.Run{System: "dragonfly", Release: "v2.2.1", Scenarios: []history.Scenario{
			{Name: "a seed is lost", Verdict: history.Fail, Reason: red.Failure, History: red},
			{Name: "a mesh", Verdict: history.NotApplicable, Reason: "no links"},
			{Name: "all is well", Verdict: history.Pass, History: laid},
		}}
	}
	issue := history.KnownIssue{Scenario: "a seed is lost", Releases: []string{"v2.2.1"}, Seen: "exit", Why: "no fallback", At: "k.yaml:3"}
	for what, c := range map[string]struct {
		change func(*history.Run)
		issues []history.KnownIssue
		status int
		said   string
	}{
		"nothing is known":        {func(*history.Run) {}, nil, report.ExitFail, "0 of 3 verdicts changed"},
		"known by now":            {func(*history.Run) {}, []history.KnownIssue{issue}, report.ExitPass, "FAIL          KNOWN         a seed is lost\n                            no fallback; seen: exit status 1\n"},
		"known in others":         {func(r *history.Run) { r.Release = "v2.3.0" }, []history.KnownIssue{issue}, report.ExitFail, "0 of 3 verdicts changed"},
		"older than its release":  {func(r *history.Run) { r.Release = "" }, []history.KnownIssue{issue}, report.ExitPass, "1 of 3 verdicts changed"},
		"mended by a candidate":   {func(r *history.Run) { r.Scenarios[0].History, r.Given = laid, []string{"peer"} }, []history.KnownIssue{issue}, report.ExitPass, "FAIL          PASS          a seed is lost\n                            known issue at k.yaml:3 did not show\n"},
		"known, and well by then": {func(r *history.Run) { r.Scenarios[0].History = laid }, []history.KnownIssue{issue}, report.ExitFail, "0 of 3 verdicts changed"},
	} {
		run := old()
		c.change(&run)
		var out bytes.Buffer
		var end exit
		err := judgeAgain(run, c.issues, &out)
		errors.As(err, &end)
		if end.status != c.status || !strings.Contains(out.String(), c.said) {
			t.Errorf("%s: %v and\n%s\nwant status %d and\n%s", what, err, &out, c.status, c.said)
		}
	}
}
