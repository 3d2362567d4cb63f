package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

func leave(t *testing.T, r *records, s history.Scenario) {
	t.Helper()
	path := filepath.Join(r.dir, fmt.Sprintf("%d-%s.json", s.Repeat, s.Name))
	if err := history.Write(path, s); err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T) *records {
	t.Helper()
	r, err := openRecords(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEachRecordIsToldOnceAsItAppears(t *testing.T) {
	r := opened(t)
	told := make(chan string, 8)
	ended, watched := make(chan error), make(chan error)
	go func() { watched <- r.watch(ended, func(s history.Scenario) { told <- s.Name }) }()
	for _, name := range []string{"first", "second"} {
		leave(t, r, history.Scenario{Name: name, Repeat: 1, Verdict: history.Pass})
		if got := <-told; got != name {
			t.Errorf("told %q, want %q while the suite runs", got, name)
		}
	}
	// Half a record is not one yet.
	if err := os.WriteFile(filepath.Join(r.dir, "1-third.json.17.tmp"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	leave(t, r, history.Scenario{Name: "last", Repeat: 1, Verdict: history.Fail})
	failed := errors.New("exit status 1")
	ended <- failed
	if err := <-watched; !errors.Is(err, failed) {
		t.Errorf("watch ended in %v, want ginkgo's own error", err)
	}
	if len(told) != 1 || <-told != "last" || len(r.all) != 3 {
		t.Errorf("after the end %d records, want the last one told, once", len(r.all))
	}
}

func TestBrokenRecordIsInfra(t *testing.T) {
	r := opened(t)
	if err := os.WriteFile(filepath.Join(r.dir, "1-x.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.sweep(func(history.Scenario) {}); err != nil {
		t.Fatal(err)
	}
	if len(r.all) != 1 || r.all[0].Verdict != history.Infra || !strings.Contains(r.all[0].Reason, "1-x.json") {
		t.Errorf("records are %+v", r.all)
	}
}

// ginkgoReport has a scenario that panicked, one that skipped itself and one that was
// not chosen.
func ginkgoReport() []types.Report {
	leaf := func(name string, state types.SpecState, message string) types.SpecReport {
		return types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: name, State: state, Failure: types.Failure{Message: message}}
	}
	return []types.Report{{SpecReports: types.SpecReports{
		leaf("panicked", types.SpecStatePanicked, "nil map"),
		leaf("skipped", types.SpecStateSkipped, "no netem here"),
		leaf("filtered", types.SpecStateSkipped, ""),
	}}}
}

func TestChosenScenarioWithoutRecordIsNeverGreen(t *testing.T) {
	r := opened(t)
	quiet := func(history.Scenario) {}
	r.add(history.Scenario{Name: "passed", Repeat: 1, Verdict: history.Pass}, quiet)
	r.add(history.Scenario{Name: "twice", Repeat: 1, Verdict: history.Pass}, quiet)
	chosen := []spec{{name: "passed"}, {name: "panicked"}, {name: "skipped"}, {name: "vanished"}, {name: "twice"}, {name: "twice"}}
	r.fill(1, chosen, ginkgoReport(), "see ginkgo.log", quiet)
	r.fill(2, chosen[:1], nil, "interrupted", quiet)
	want := []string{
		"1 passed PASS ", "1 twice PASS ",
		"1 panicked INFRA left no record: nil map",
		"1 skipped INCONCLUSIVE skipped: no netem here",
		"1 vanished INFRA see ginkgo.log",
		"1 twice INFRA see ginkgo.log",
		"2 passed INFRA interrupted",
	}
	var got []string
	for _, s := range r.all {
		got = append(got, fmt.Sprintf("%d %s %s %s", s.Repeat, s.Name, s.Verdict, s.Reason))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("records:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSuiteFailureIsTheReasonOfAll(t *testing.T) {
	reports := ginkgoReport()
	reports[0].SpecReports = append(reports[0].SpecReports, types.SpecReport{
		LeafNodeType: types.NodeTypeSynchronizedBeforeSuite, State: types.SpecStateFailed, Failure: types.Failure{Message: "faultd did not start"},
	})
	if v, reason := ended("vanished", reports); v != history.Infra || reason != "SynchronizedBeforeSuite failed: faultd did not start" {
		t.Errorf("ended in %s, %q", v, reason)
	}
}

func TestDiscontentedSuiteIsNotGreen(t *testing.T) {
	for _, c := range []struct {
		name    string
		failed  error
		verdict history.Verdict
		want    int
	}{
		{"content", nil, history.Pass, report.ExitPass},
		{"failed after all passed", errors.New("exit status 1"), history.Pass, report.ExitInfra},
		{"content with a known issue", nil, history.Known, report.ExitPass},
		{"failed beside a known issue", errors.New("exit status 1"), history.Known, report.ExitInfra},
		{"failed as a scenario did", errors.New("exit status 1"), history.Fail, report.ExitFail},
	} {
		var out bytes.Buffer
		left := opened(t)
		one := newRunnerFor(&out, t.TempDir())
		left.add(history.Scenario{Name: "only", Repeat: 1, Verdict: c.verdict}, one.tell)
		i, release := watchInterruption(t.Context())
		one.settle(round{number: 1, run: one.dir}, i, left, c.failed)
		release()
		if got := report.ExitStatus(left.all); got != c.want {
			t.Errorf("%s: status %d, want %d\n%s", c.name, got, c.want, &out)
		}
	}
}

func newRunnerFor(out *bytes.Buffer, dir string) *runner {
	return &runner{chosen: []spec{{name: "only"}}, tell: newScreen(out).ended, dir: dir}
}

func TestScreenTellsWhatMatters(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	s.run = "out/x"
	s.expect([]spec{{name: "short"}, {name: "a longer one"}}, 5)
	s.ended(history.Scenario{Name: "no mesh", Verdict: history.NotApplicable, Reason: "it has none"})
	s.ended(history.Scenario{Name: "seeds", Verdict: history.Known, WallMS: 900, Reason: "no fallback; seen: lost"})
	s.ended(history.Scenario{Name: "short", Verdict: history.Pass, WallMS: 7100})
	s.ended(history.Scenario{Name: "a longer one", Verdict: history.Fail, WallMS: 12340, Reason: "expected 3\nto equal 4", Evidence: "evidence/a"})
	s.ended(history.Scenario{Name: "mended", Verdict: history.Pass, WallMS: 100, Reason: "known issue at k.yaml:3 did not show"})
	want := `[ 1/10] N/A    no mesh         0.0 s
        it has none
[ 2/10] KNOWN  seeds           0.9 s
        no fallback; seen: lost
[ 3/10] PASS   short           7.1 s
[ 4/10] FAIL   a longer one   12.3 s
        expected 3
        to equal 4
        evidence: out/x/evidence/a
[ 5/10] PASS   mended          0.1 s
        known issue at k.yaml:3 did not show
`
	if out.String() != want {
		t.Errorf("screen shows\n%s\nwant\n%s", &out, want)
	}
}
