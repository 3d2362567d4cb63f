package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// ran leaves the folder of a run with one scenario.
func ran(t *testing.T, release, scenario string, v history.Verdict) string {
	t.Helper()
	dir := t.TempDir()
	run := history.Run{System: "dragonfly", Release: release, Scenarios: []history.Scenario{{Name: scenario, Repeat: 1, Verdict: v}}}
	if err := history.Write(filepath.Join(dir, "run.json"), run); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCompareEndsAsTheGate(t *testing.T) {
	const name = "a seed is lost"
	stable, red := ran(t, "v2.2.1", name, history.Pass), ran(t, "v2.3.0", name, history.Fail)
	other := ran(t, "v2.3.0", "a port", history.Pass)
	broken := filepath.Join(t.TempDir(), "run.json")
	empty := filepath.Join(t.TempDir(), "run.json")
	for path, text := range map[string]string{broken: "{", empty: "{}"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for what, c := range map[string]struct {
		args   []string
		status int
		said   string
	}{
		"worse":                 {[]string{stable, red}, report.ExitFail, name + "  PASS              FAIL              worse\n"},
		"better":                {[]string{red, stable}, report.ExitPass, name + "  FAIL              PASS\n"},
		"files, and Markdown":   {[]string{filepath.Join(stable, "run.json"), "--markdown", red}, report.ExitFail, "| " + name + " | PASS | FAIL | worse |\n"},
		"what lies between":     {[]string{stable, red, stable}, report.ExitPass, "same verdict in all: 0 of 1\n"},
		"one run":               {[]string{stable}, report.ExitUsage, "two runs or more"},
		"no run":                {nil, report.ExitUsage, "two runs or more"},
		"a run that is not":     {[]string{stable, filepath.Join(stable, "x")}, report.ExitUsage, "no such file or directory: name the folder"},
		"a run that broke":      {[]string{broken, stable}, report.ExitUsage, "decode " + broken},
		"no run at all":         {[]string{stable, empty}, report.ExitUsage, empty + " holds no scenarios"},
		"nothing in common":     {[]string{stable, other}, report.ExitUsage, "have no scenario in common"},
		"nothing but in others": {[]string{stable, stable, other}, report.ExitUsage, "have no scenario in common"},
	} {
		var out, errs bytes.Buffer
		status := execute(t.Context(), append([]string{"compare"}, c.args...), &out, &errs)
		said := out.String()
		if c.status == report.ExitUsage {
			said = errs.String()
			if out.Len() > 0 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "faultbed: ") {
				t.Errorf("%s: %q and %q, want one line", what, &out, said)
			}
		}
		if status != c.status || !strings.Contains(said, c.said) {
			t.Errorf("%s: status %d and\n%s\nwant %d and\n%s", what, status, said, c.status, c.said)
		}
	}
}
