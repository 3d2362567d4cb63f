package known

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
)

// entry is a known issue as it is written, with one line replaced or left out.
func entry(replace, by string) string {
	return strings.Replace(`# a comment

- scenario: An unreachable seed does not stop a download
  releases: [v2.1.0, v2.2.1]
  seen: "exit status \\d+"
  why: >
    There is no
    fallback.
  link: https://example.org/7
  date: 2026-11-22
`, replace, by, 1)
}

func TestReadsEveryKey(t *testing.T) {
	second := "- {scenario: /seed/, releases: [all], seen: x, why: y, date: 2026-01-02}\n"
	got, err := parse("k.yaml", []byte(entry("", "")+second))
	if err != nil {
		t.Fatal(err)
	}
	want := []history.KnownIssue{
		{
			Scenario: "An unreachable seed does not stop a download", Releases: []string{"v2.1.0", "v2.2.1"}, Seen: `exit status \d+`,
			Why: "There is no fallback.", Link: "https://example.org/7", Date: "2026-11-22", At: "k.yaml:3",
		},
		{Scenario: "/seed/", Releases: []string{"all"}, Seen: "x", Why: "y", Date: "2026-01-02", At: "k.yaml:11"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("read differs:\n%s", d)
	}
	if got, err := parse("k.yaml", []byte("# none\n[]\n")); len(got) != 0 || err != nil {
		t.Errorf("an empty list is %v, %v", got, err)
	}
}

func TestRefusesWithFileAndLine(t *testing.T) {
	for what, c := range map[string]struct{ text, want string }{
		"unknown key":       {entry("link:", "links:"), `k.yaml:9: known issue: unknown key "links": choose from scenario, releases, seen, why, link, date`},
		"missing key":       {entry("  date: 2026-11-22\n", ""), "k.yaml:3: known issue: date is missing: add it"},
		"key without value": {entry("https://example.org/7", ""), "k.yaml:9: known issue: link is no text: write one"},
		"value of no text":  {entry(`"exit status \\d+"`, "[x]"), "k.yaml:5: known issue: seen is no text: write one"},
		"key twice":         {entry("link:", "seen:"), "k.yaml:9: known issue: seen is there twice: remove one"},
		"bad seen":          {entry(`"exit status \\d+"`, "(x"), `k.yaml:5: known issue: seen "(x" is no regular expression: error parsing regexp: missing closing ): ` + "`(x`"},
		"bad scenario":      {entry("An unreachable seed does not stop a download", "/(x/"), `k.yaml:3: known issue: scenario "(x" is no`},
		"no date":           {entry("2026-11-22", "2026-11-31"), `k.yaml:10: known issue: date "2026-11-31" is none: write one such as 2026-11-30`},
		"one release":       {entry("[v2.1.0, v2.2.1]", "v2.2.1"), "k.yaml:4: known issue: releases is no list: write such as [v2.2.1, v2.3.0], or [all]"},
		"no release":        {entry("[v2.1.0, v2.2.1]", "[]"), "k.yaml:4: known issue: releases is no list"},
		"all and others":    {entry("v2.1.0", "all"), "k.yaml:4: known issue: releases are all and others"},
		"no mapping":        {"- x\n", "k.yaml:1: known issue: no mapping: give it the keys"},
		"no list":           {"\nscenario: x\n", `k.yaml:2: no list of known issues: begin each with "- scenario:", or write []`},
		"nothing":           {"# nothing\n", "k.yaml:1: no list of known issues: write [] if there are none"},
		"no YAML":           {"- scenario: x\n  seen: \"y\n", "k.yaml:"},
		"tabs":              {"- scenario: x\n\tseen: y\n", "k.yaml:2: no YAML: found"},
	} {
		got, err := parse("k.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v, want one line with %q", what, got, err, c.want)
		}
	}
}

func TestEverySystemHasAFileThatReads(t *testing.T) {
	files, err := filepath.Glob("../../fixtures/known/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("files are %v, %v", files, err)
	}
	for _, file := range files {
		if _, err := Read("../..", strings.TrimSuffix(filepath.Base(file), ".yaml")); err != nil {
			t.Error(err)
		}
	}
	if _, err := Read("../..", "kraken"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a system without a file: %v", err)
	}
}

func TestAnIssueOfNoScenarioIsRefused(t *testing.T) {
	suite := []string{"A seed is away", "A peer is away"}
	issues := []history.KnownIssue{{Scenario: "/^A .* away$/", At: "k.yaml:1"}, {Scenario: "A peer is away", At: "k.yaml:2"}}
	if err := Concern(issues, suite); err != nil {
		t.Error(err)
	}
	err := Concern(append(issues, history.KnownIssue{Scenario: "A peer", At: "k.yaml:3"}), suite)
	if err == nil || !strings.HasPrefix(err.Error(), `k.yaml:3: known issue of "A peer"`) {
		t.Errorf("an entry for a scenario that is not there: %v", err)
	}
}
