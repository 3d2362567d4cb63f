package harness

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
)

// meshless is a system of which nothing is asked but what it lacks.
type meshless struct{ system.System }

func (meshless) Lacks(need string) string {
	if need == "mesh" {
		return "daemons keep no links among themselves"
	}
	return ""
}

func TestConcludeWritesWhatTheRunIsMadeOf(t *testing.T) {
	laid := func() *history.History { return &history.History{Started: time.Unix(1, 0)} }
	issue := history.KnownIssue{Scenario: "a seed is lost", Releases: []string{"v2.2.1"}, Seen: "exit", Why: "no fallback", At: "k.yaml:3"}
	for what, c := range map[string]struct {
		outcome history.Verdict
		reason  string
		of      Outcome
		bed     *history.History
		given   []string
	}{
		"a scenario that passed":         {history.Pass, "", Outcome{Name: "all is well"}, laid(), nil},
		"a failure that is known":        {history.Known, "no fallback; seen: exit status 1", Outcome{Name: issue.Scenario, Failure: "exit status 1"}, laid(), nil},
		"a known issue that passed":      {history.Fail, "fixed? remove it: k.yaml:3", Outcome{Name: issue.Scenario}, laid(), nil},
		"one that a candidate mends":     {history.Pass, "known issue at k.yaml:3 did not show", Outcome{Name: issue.Scenario}, laid(), []string{"peer"}},
		"a panic where one is known":     {history.Infra, "panic: x", Outcome{Name: issue.Scenario, Broken: "panic: x"}, laid(), nil},
		"what the system lacks":          {history.NotApplicable, "no links", Outcome{Name: "a mesh", Lacks: "no links"}, nil, nil},
		"what is lacking, though known":  {history.NotApplicable, "no links", Outcome{Name: issue.Scenario, Lacks: "no links"}, nil, nil},
		"a scenario that laid no bed":    {history.Inconclusive, "no bed was laid", Outcome{Name: "idle"}, nil, nil},
		"no bed where an issue is known": {history.Inconclusive, "no bed was laid", Outcome{Name: issue.Scenario, Failure: "exit"}, nil, nil},
	} {
		s := &Session{Options: Options{RunDir: t.TempDir(), Repeat: 2, Release: "v2.2.1", Given: c.given, Known: []history.KnownIssue{issue}}, finished: c.bed}
		got, err := s.Conclude(c.of)
		if err != nil || got.Verdict != c.outcome || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s: %s (%s), %v; want %s (%s)", what, got.Verdict, got.Reason, err, c.outcome, c.reason)
		}
		files, err := filepath.Glob(filepath.Join(s.RunDir, "records", "2-*.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: records are %v, %v", what, files, err)
		}
		var read history.Scenario
		if err := history.Read(files[0], &read); err != nil || read.Verdict != c.outcome || (read.Known != nil) != (c.outcome == history.Known) {
			t.Errorf("%s: the record says %s, entry %v, %v", what, read.Verdict, read.Known, err)
		}
	}
}

func TestLacksIsAskedOfEveryNeed(t *testing.T) {
	s := &Session{System: meshless{}}
	for labels, want := range map[string]string{
		"":                              "",
		"mesh":                          "",
		"family:mesh":                   "",
		"needs:seeds":                   "",
		"smoke,needs:seeds, needs:mesh": "daemons keep no links among themselves",
		"needs: mesh":                   "daemons keep no links among themselves",
	} {
		var given []string
		for label := range strings.SplitSeq(labels, ",") {
			given = append(given, strings.TrimSpace(label))
		}
		if got := s.Lacks(given); got != want {
			t.Errorf("%q: lacks %q, want %q", labels, got, want)
		}
	}
}

func TestGivenRolesAreThoseOfTheEnvironment(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "peer": {"peer"}, "peer,seed": {"peer", "seed"}} {
		t.Setenv("FAULTBED_GIVEN", text)
		if o, err := OptionsFromEnv(); err != nil || !slices.Equal(o.Given, want) {
			t.Errorf("%q: given %q, %v; want %q", text, o.Given, err, want)
		}
	}
}

func TestReleaseUnderTestIsThatOfTheSystem(t *testing.T) {
	for _, c := range []struct{ system, release, want string }{
		{"", "", "2.2.1"},
		{"reference", "", "2.2.1"},
		{"dragonfly", "", "v2.2.1"},
		{"dragonfly", "v2.3.0", "v2.3.0"},
	} {
		t.Setenv("FAULTBED_SYSTEM", c.system)
		t.Setenv("FAULTBED_RELEASE", c.release)
		if o, err := OptionsFromEnv(); err != nil || o.Release != c.want {
			t.Errorf("%q at %q: release %q, %v; want %q", c.system, c.release, o.Release, err, c.want)
		}
	}
}
