package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
)

var update = flag.Bool("update", false, "write golden files anew")

func scenario(v history.Verdict, family string) history.Scenario {
	return history.Scenario{Verdict: v, Labels: []string{"family:" + family}}
}

func TestExitStatusIsThatOfTheWorst(t *testing.T) {
	const pass, fail, doubt, infra = history.Pass, history.Fail, history.Inconclusive, history.Infra
	const known, none = history.Known, history.NotApplicable
	for _, c := range []struct {
		verdicts []history.Verdict
		want     int
	}{
		{[]history.Verdict{pass, pass}, ExitPass},
		{[]history.Verdict{pass, doubt}, ExitInconclusive},
		{[]history.Verdict{doubt, infra}, ExitInfra},
		{[]history.Verdict{infra, fail, doubt}, ExitFail},
		{[]history.Verdict{pass, "MAYBE"}, ExitInconclusive},
		{[]history.Verdict{pass, known, none}, ExitPass},
		{[]history.Verdict{known}, ExitPass},
		{[]history.Verdict{none, none}, ExitInconclusive},
		{[]history.Verdict{known, none, doubt}, ExitInconclusive},
		{[]history.Verdict{known, none, infra}, ExitInfra},
		{[]history.Verdict{known, none, fail}, ExitFail},
		{nil, ExitInconclusive},
	} {
		var all []history.Scenario
		for _, v := range c.verdicts {
			all = append(all, scenario(v, "x"))
		}
		if got := ExitStatus(all); got != c.want {
			t.Errorf("%v: status %d, want %d", c.verdicts, got, c.want)
		}
	}
}

// sample has each of the four verdicts that every system knows once, a reason of two
// lines, one that Markdown and XML would stumble over, and a scenario of no family.
func sample() history.Run {
	return history.Run{
		ID: "20260102T030405Z-00ff", Seed: 42, System: "reference", Release: "2.2.1", Profile: "fast", WallMS: 61500,
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Host:    history.Host{Kernel: "6.18", Engine: "20.10.24", CPUs: 2, MemoryBytes: 4 << 30},
		Scenarios: []history.Scenario{
			{Name: "blocked ports: 65002 dropped", Labels: []string{"smoke", "family:ports"}, Repeat: 1, Verdict: history.Pass, WallMS: 7100},
			{
				Name: "blocked ports: 8002 <refused>", Labels: []string{"family:ports"}, Repeat: 2, Verdict: history.Inconclusive,
				Reason: "fault BlockPort | # on a -> b:8002 was never confirmed\x1b[0m", WallMS: 900, Location: "scenarios/ports.go:12",
			},
			{
				Name: "a seed is away", Labels: []string{"family:seeds"}, Repeat: 1, Verdict: history.Fail, WallMS: 20000,
				Reason: "expected 3\nto equal 4", Evidence: "evidence/1-a-seed-is-away", Location: "scenarios/seeds.go:34",
			},
			{Name: "the suite", Repeat: 1, Verdict: history.Infra, Reason: "left no record"},
		},
	}
}

// excused is the sample with a known issue, a scenario that does not apply, and a known
// issue that a candidate has mended.
func excused() history.Run {
	run := sample()
	run.System, run.Release = "dragonfly", "v2.2.1"
	run.Scenarios = append(run.Scenarios,
		history.Scenario{
			Name: "a seed comes back", Labels: []string{"family:seeds"}, Repeat: 1, Verdict: history.Pass, WallMS: 5000,
			Reason: "known issue at fixtures/known/dragonfly.yaml:12 did not show", Location: "scenarios/seeds.go:90",
		},
		history.Scenario{
			Name: "a mesh holds", Labels: []string{"family:ports", "needs:mesh"}, Repeat: 1, Verdict: history.NotApplicable,
			Reason: "daemons keep no links among themselves", Location: "scenarios/ports.go:56",
		},
		history.Scenario{
			Name: "a seed is lost", Labels: []string{"family:seeds"}, Repeat: 1, Verdict: history.Known, WallMS: 31000,
			Reason: "no second seed is asked (https://issues/7); seen: exit status 1", Evidence: "evidence/a-seed-is-lost",
			Known:    &history.KnownIssue{Date: "2026-01-01", At: "fixtures/known/dragonfly.yaml:3"},
			Location: "scenarios/seeds.go:78",
		})
	return run
}

func TestGoldenReports(t *testing.T) {
	run, known := sample(), excused()
	run.Again = Again("scenarios", run.Seed, map[string]string{"LABELS": "family:ports && !smoke", "FOCUS": "it's$", "PEER": "me/peer:1"})
	known.Again = run.Again
	for name, write := range map[string]func(*bytes.Buffer) error{
		"summary.md":       func(b *bytes.Buffer) error { return Summary(b, run) },
		"junit.xml":        func(b *bytes.Buffer) error { return JUnit(b, run) },
		"table.txt":        func(b *bytes.Buffer) error { return Table(b, run) },
		"known-summary.md": func(b *bytes.Buffer) error { return Summary(b, known) },
		"known-junit.xml":  func(b *bytes.Buffer) error { return JUnit(b, known) },
		"known-table.txt":  func(b *bytes.Buffer) error { return Table(b, known) },
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got.String()); d != "" {
			t.Errorf("%s differs (go test -update writes it anew):\n%s", name, d)
		}
	}
}
