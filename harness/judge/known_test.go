package judge_test

import (
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
)

func TestKnownIssues(t *testing.T) {
	const name = "A seed that is away does not stop a download"
	lost := history.KnownIssue{
		Scenario: name, Releases: []string{"v2.1.0", "v2.2.1"}, Seen: "exit status \\d+",
		Why: "no fallback", At: "fixtures/known/dragonfly.yaml:3",
	}
	with := func(change func(*history.KnownIssue)) history.KnownIssue {
		issue := lost
		change(&issue)
		return issue
	}
	linked := with(func(i *history.KnownIssue) { i.Link, i.At = "https://issues/7", "x.yaml:9" })
	slow := with(func(i *history.KnownIssue) { i.Seen, i.Why, i.At = "took \\d+ s", "it is slow", "x.yaml:20" })
	const red = "should be intact\nbut it failed: exit status 1"
	for what, tc := range map[string]struct {
		history history.History
		issues  []history.KnownIssue
		want    history.Verdict
		reason  string
		known   string // where the entry is
	}{
		"a failure of which nothing is known":  {history.History{Failure: red}, nil, history.Fail, red, ""},
		"a failure that is known":              {history.History{Failure: red}, []history.KnownIssue{lost}, history.Known, "no fallback; seen: but it failed: exit status 1", lost.At},
		"one with a link":                      {history.History{Failure: red}, []history.KnownIssue{linked}, history.Known, "no fallback (https://issues/7); seen: but it failed: exit status 1", "x.yaml:9"},
		"the second of two looks":              {history.History{Failure: red}, []history.KnownIssue{slow, lost}, history.Known, "no fallback; seen: but it failed: exit status 1", lost.At},
		"a failure that looks otherwise":       {history.History{Failure: "took long"}, []history.KnownIssue{lost}, history.Fail, "took long\nthe known issue at fixtures/known/dragonfly.yaml:3 looks otherwise: /exit status \\d+/", ""},
		"a known issue that passed":            {history.History{}, []history.KnownIssue{lost}, history.Fail, "a known issue passed: fixed? remove it: fixtures/known/dragonfly.yaml:3", ""},
		"an issue of all releases":             {history.History{Failure: red}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Releases = []string{"all"} })}, history.Known, "no fallback; seen: but it failed: exit status 1", lost.At},
		"an issue of another release":          {history.History{Failure: red}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Releases = []string{"v2.2.10"} })}, history.Fail, red, ""},
		"an issue of another scenario":         {history.History{Failure: red}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Scenario = name[2:] })}, history.Fail, red, ""},
		"an issue of scenarios by regexp":      {history.History{Failure: red}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Scenario = "/^A seed .* download$/" })}, history.Known, "no fallback; seen: but it failed: exit status 1", lost.At},
		"an issue of others by regexp":         {history.History{Failure: red}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Scenario = "/^seed/" })}, history.Fail, red, ""},
		"a pass in another scenario":           {history.History{}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Scenario = "else" })}, history.Pass, "", ""},
		"what proves nothing is no known end":  {history.History{Failure: red, Doubts: []string{"exit status 1"}}, []history.KnownIssue{lost}, history.Inconclusive, "exit status 1", ""},
		"a broken machine is no known end":     {history.History{Failure: red, Trouble: []string{"exit status 1"}}, []history.KnownIssue{lost}, history.Infra, "exit status 1", ""},
		"an issue whose regexp does not parse": {history.History{Failure: red}, []history.KnownIssue{with(func(i *history.KnownIssue) { i.Seen = "(" })}, history.Fail, red + "\nthe known issue at fixtures/known/dragonfly.yaml:3 looks otherwise: /(/", ""},
	} {
		tc.history.Started = time.Unix(1, 0)
		got := judge.Scenario(history.Scenario{Name: name, History: tc.history, Known: &slow}, judge.Tested{Release: "v2.2.1"}, tc.issues)
		if got.Verdict != tc.want || got.Reason != tc.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", what, got.Verdict, got.Reason, tc.want, tc.reason)
		}
		at := ""
		if got.Known != nil {
			at = got.Known.At
		}
		if at != tc.known {
			t.Errorf("%s: the entry is that at %q, want %q", what, at, tc.known)
		}
	}
}

func TestCandidateMayFixWhatIsKnown(t *testing.T) {
	const name = "A seed that is away does not stop a download"
	issues := []history.KnownIssue{{Scenario: name, Releases: []string{"v2.2.1"}, Seen: "exit", Why: "no fallback", At: "k.yaml:3"}}
	candidate := judge.Tested{Release: "v2.2.1", Given: []string{"peer"}}
	for what, c := range map[string]struct {
		history history.History
		tested  judge.Tested
		want    history.Verdict
		reason  string
	}{
		"fixed":                        {history.History{}, candidate, history.Pass, "known issue at k.yaml:3 did not show"},
		"as the release":               {history.History{Failure: "exit status 1"}, candidate, history.Known, "no fallback; seen: exit status 1"},
		"broken otherwise":             {history.History{Failure: "lost"}, candidate, history.Fail, "lost\nthe known issue at k.yaml:3 looks otherwise: /exit/"},
		"the release itself":           {history.History{}, judge.Tested{Release: "v2.2.1"}, history.Fail, "a known issue passed: fixed? remove it: k.yaml:3"},
		"a candidate of another":       {history.History{}, judge.Tested{Release: "v2.3.0", Given: []string{"peer"}}, history.Pass, ""},
		"what proves nothing stays so": {history.History{Doubts: []string{"no bite"}}, candidate, history.Inconclusive, "no bite"},
	} {
		c.history.Started = time.Unix(1, 0)
		got := judge.Scenario(history.Scenario{Name: name, History: c.history}, c.tested, issues)
		if got.Verdict != c.want || got.Reason != c.reason || (got.Known != nil) != (c.want == history.Known) {
			t.Errorf("%s: %s (%s), entry %v; want %s (%s)", what, got.Verdict, got.Reason, got.Known, c.want, c.reason)
		}
	}
}
