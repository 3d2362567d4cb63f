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
	for _, c := range []struct {
		verdicts []history.Verdict
		want     int
	}{
		{[]history.Verdict{pass, pass}, ExitPass},
		{[]history.Verdict{pass, doubt}, ExitInconclusive},
		{[]history.Verdict{doubt, infra}, ExitInfra},
		{[]history.Verdict{infra, fail, doubt}, ExitFail},
		{[]history.Verdict{pass, "MAYBE"}, ExitInconclusive},
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

// sample has each verdict once, a reason of two lines, one that Markdown and XML would
// stumble over, and a scenario of no family.
func sample() history.Run {
	return history.Run{
		ID: "20260102T030405Z-00ff", Seed: 42, System: "reference", Profile: "fast", WallMS: 61500,
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

func TestGoldenReports(t *testing.T) {
	run := sample()
	again := Again(run.Seed, map[string]string{"LABELS": "family:ports && !smoke", "FOCUS": "it's$", "PEER": "me/peer:1"})
	for name, write := range map[string]func(*bytes.Buffer) error{
		"summary.md": func(b *bytes.Buffer) error { return Summary(b, run, again) },
		"junit.xml":  func(b *bytes.Buffer) error { return JUnit(b, run) },
		"table.txt":  func(b *bytes.Buffer) error { return Table(b, run) },
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
