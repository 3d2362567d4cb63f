package judge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// EveryRelease is what a known issue that all releases have says instead of naming them.
const EveryRelease = "all"

// Tested is what a scenario was held against.
type Tested struct {
	Release string
	Given   []string // roles that ran a candidate instead of the release
}

// Scenario judges a record's history, then weighs the verdict against what is known of
// the release under test. A failure that looks as a known issue says is KNOWN; one that
// looks otherwise is a failure still, and so is a known issue that is seen no more: an
// entry that nobody removes would hide the day it comes back. A candidate may fix what
// its release does not: there a known issue that is seen no more is a pass, and the entry
// stays the release's. What proves nothing says nothing of known issues either.
func Scenario(s history.Scenario, tested Tested, issues []history.KnownIssue) history.Scenario {
	s.Verdict, s.Reason = Verdict(s.History)
	s.Known = nil
	var apply []history.KnownIssue
	for _, issue := range issues {
		if Concerns(issue, s.Name) && hits(issue, tested.Release) {
			apply = append(apply, issue)
		}
	}
	if len(apply) == 0 {
		return s
	}
	switch s.Verdict {
	case history.Pass:
		if len(tested.Given) > 0 {
			s.Reason = fmt.Sprintf("known issue at %s did not show", apply[0].At)
			break
		}
		s.Verdict, s.Reason = history.Fail, "a known issue passed: fixed? remove it: "+apply[0].At
	case history.Fail:
		for _, issue := range apply {
			if seen, ok := look(issue, s.Reason); ok {
				s.Verdict, s.Reason, s.Known = history.Known, excuse(issue)+"; seen: "+seen, &issue
				return s
			}
		}
		s.Reason = fmt.Sprintf("%s\nthe known issue at %s looks otherwise: /%s/", s.Reason, apply[0].At, apply[0].Seen)
	}
	return s
}

// Concerns says whether an issue is about the scenario of that full name.
func Concerns(issue history.KnownIssue, scenario string) bool {
	pattern, ok := Pattern(issue.Scenario)
	if !ok {
		return issue.Scenario == scenario
	}
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(scenario)
}

// Pattern is the regular expression that a known issue names scenarios with, if it
// does not spell one out.
func Pattern(scenario string) (string, bool) {
	if len(scenario) < 2 || !strings.HasPrefix(scenario, "/") || !strings.HasSuffix(scenario, "/") {
		return "", false
	}
	return scenario[1 : len(scenario)-1], true
}

func hits(issue history.KnownIssue, release string) bool {
	return slices.Contains(issue.Releases, release) || slices.Contains(issue.Releases, EveryRelease)
}

// look finds in a failure's reason what an issue says is seen, and returns the line in
// which that begins: the first one is often no more than "Expected".
func look(issue history.KnownIssue, reason string) (line string, ok bool) {
	re, err := regexp.Compile(issue.Seen)
	if err != nil {
		return "", false
	}
	at := re.FindStringIndex(reason)
	if at == nil {
		return "", false
	}
	start := strings.LastIndex(reason[:at[0]], "\n") + 1
	line, _, _ = strings.Cut(reason[start:], "\n")
	return strings.TrimSpace(line), true
}

// excuse is why a known issue is no alarm.
func excuse(issue history.KnownIssue) string {
	if issue.Link == "" {
		return issue.Why
	}
	return issue.Why + " (" + issue.Link + ")"
}
