package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
)

const scene = "a seed is lost"

// rounds is a run of one scenario, once with each verdict.
func rounds(verdicts ...history.Verdict) history.Run {
	run := history.Run{System: "dragonfly", Release: "v2.2.1"}
	for i, v := range verdicts {
		run.Scenarios = append(run.Scenarios, history.Scenario{Name: scene, Repeat: i + 1, Verdict: v})
	}
	return run
}

func TestGateIsShutForWhatGotWorse(t *testing.T) {
	const pass, fail, doubt, infra = history.Pass, history.Fail, history.Inconclusive, history.Infra
	const known, none = history.Known, history.NotApplicable
	of := func(v ...history.Verdict) []history.Verdict { return v }
	for _, c := range []struct {
		first, last     []history.Verdict
		worse, unproven int
	}{
		{of(pass), of(pass), 0, 0},
		{of(pass), of(fail), 1, 0},
		{of(known), of(fail), 1, 0},
		{of(none), of(fail), 1, 0},
		{of(pass), of(known), 0, 0},
		{of(fail), of(fail), 0, 0},
		{of(fail), of(pass), 0, 0},
		{of(doubt), of(fail), 0, 0},
		{of(infra), of(fail), 0, 0},
		{of(pass), of(doubt), 0, 1},
		{of(pass), of(infra), 0, 1},
		{of(pass), nil, 0, 1},
		{nil, of(fail), 0, 0},
		{of(fail), of(infra), 0, 0},
		{of(pass, pass), of(pass, fail), 1, 0},
		{of(pass, fail), of(pass, fail), 0, 0},
		{of(pass, fail), of(fail, fail), 1, 0},
		{of(pass, fail), of(doubt, fail), 0, 0},
		{of(pass, pass), of(pass, doubt), 0, 1},
		{of(pass, pass), of(fail, doubt), 1, 0},
	} {
		// What lies between the first and the last run does not count.
		got := Compare([]history.Run{rounds(c.first...), rounds(fail), rounds(c.last...)})
		want := ExitPass
		if c.worse > 0 {
			want = ExitFail
		}
		if got.Worse != c.worse || got.Unproven != c.unproven || got.Status() != want {
			t.Errorf("%v then %v: %d worse, %d unproven, status %d; want %d, %d, %d",
				c.first, c.last, got.Worse, got.Unproven, got.Status(), c.worse, c.unproven, want)
		}
	}
}

// timed is a run whose only scenario took that long under its fault.
func timed(v history.Verdict, ms ...int64) history.Run {
	run := rounds()
	for _, one := range ms {
		at := int64(1000)
		run.Scenarios = append(run.Scenarios, history.Scenario{Name: scene, Verdict: v, History: history.History{
			Faults:    []history.Fault{{ConfirmedMS: &at}},
			Downloads: []history.Download{{File: "layer-4m", StartedMS: at + 1, TookMS: one}},
		}})
	}
	return run
}

func TestOnlyWhatDiffersHasARow(t *testing.T) {
	const pass, fail = history.Pass, history.Fail
	for what, c := range map[string]struct {
		first, last history.Run
		cells, note string // no row if both are empty
		sums        string
	}{
		"the same":                    {rounds(pass), rounds(pass), "", "", "1 of 1"},
		"red in both":                 {rounds(fail), rounds(fail), "", "", "1 of 1"},
		"another verdict":             {rounds(fail), rounds(pass), "FAIL|PASS", "", "0 of 1"},
		"a verdict that is worse":     {rounds(pass), rounds(fail), "PASS|FAIL", "worse", "0 of 1"},
		"the same in all rounds":      {rounds(pass, pass), rounds(pass), "", "", "1 of 1"},
		"unstable in the first":       {rounds(pass, fail, pass), rounds(pass), "1 FAIL, 2 PASS|PASS", "unstable", "0 of 1"},
		"unstable in both alike":      {rounds(pass, fail), rounds(pass, fail), "1 FAIL, 1 PASS|1 FAIL, 1 PASS", "unstable", "0 of 1"},
		"not in the last":             {rounds(pass), rounds(), "", "", "0 of 0"},
		"unstable, in the first only": {rounds(pass, fail), rounds(), "1 FAIL, 1 PASS|-", "unstable", "0 of 0"},
		"twice as long":               {timed(pass, 400), timed(pass, 800), "", "", "1 of 1"},
		"more than twice as long":     {timed(pass, 400), timed(pass, 1500), "PASS 400 ms|PASS 1500 ms", "time x 3.8", "1 of 1"},
		"less than half as long":      {timed(fail, 2000), timed(fail, 100), "FAIL 2000 ms|FAIL 100 ms", "time x 20.0", "1 of 1"},
		"the median of rounds":        {timed(pass, 400), timed(pass, 9000, 300, 500), "", "", "1 of 1"},
		"the lower of two":            {timed(pass, 400), timed(pass, 9000, 300), "", "", "1 of 1"},
		"apart by less than a second": {timed(pass, 10), timed(pass, 1009), "", "", "1 of 1"},
		"in no time at all":           {timed(pass, 0), timed(pass, 1), "", "", "1 of 1"},
		"timed in one only":           {timed(pass, 4000), rounds(pass), "", "", "1 of 1"},
		"worse, and long":             {timed(pass, 100), timed(fail, 400), "PASS 100 ms|FAIL 400 ms", "worse", "0 of 1"},
		"no time of what is unproven": {timed(pass, 100), timed(history.Inconclusive, 400), "PASS 100 ms|INCONCLUSIVE", "", "0 of 1"},
	} {
		got := Compare([]history.Run{c.first, c.last})
		var want []Row
		if c.cells+c.note != "" {
			want = []Row{{Scenario: scene, Cells: strings.Split(c.cells, "|"), Note: c.note}}
		}
		if d := cmp.Diff(want, got.Rows); d != "" {
			t.Errorf("%s: rows differ:\n%s", what, d)
		}
		if sums := strings.Join(got.sums(), "\n"); !strings.Contains(sums, "same verdict in all: "+c.sums+"\n") {
			t.Errorf("%s: want %s in\n%s", what, c.sums, sums)
		}
	}
}

func TestTimeIsThatOfTheLongestDownloadUnderTheFault(t *testing.T) {
	at := func(ms int64) history.Fault { return history.Fault{ConfirmedMS: &ms} }
	get := func(file string, started, took int64) history.Download {
		return history.Download{File: file, StartedMS: started, TookMS: took}
	}
	for what, c := range map[string]struct {
		faults    []history.Fault
		downloads []history.Download
		want      int64 // -1: none
	}{
		"no fault":               {nil, []history.Download{get("a", 10, 20)}, -1},
		"a fault that never bit": {[]history.Fault{{}}, []history.Download{get("a", 10, 20)}, -1},
		"over before it":         {[]history.Fault{at(30)}, []history.Download{get("a", 10, 20)}, -1},
		"begun after it":         {[]history.Fault{at(30)}, []history.Download{get("a", 40, 20)}, 20},
		"under way":              {[]history.Fault{at(30)}, []history.Download{get("a", 10, 50)}, 30},
		"the longest":            {[]history.Fault{at(30)}, []history.Download{get("a", 40, 20), get("b", 60, 70), get("c", 200, 9)}, 70},
		"after the first fault":  {[]history.Fault{{}, at(50), at(30)}, []history.Download{get("a", 10, 50)}, 30},
		"a bed that warms up":    {[]history.Fault{at(30)}, []history.Download{get("warm-1m-12", 40, 900), get("a", 940, 20)}, 20},
	} {
		ms, ok := underFault(history.History{Faults: c.faults, Downloads: c.downloads})
		if !ok {
			ms = -1
		}
		if ms != c.want {
			t.Errorf("%s: %d ms, want %d", what, ms, c.want)
		}
	}
}

func TestRunsAreToldApart(t *testing.T) {
	candidate := history.Run{
		ID: "c", System: "dragonfly", Release: "v2.2.1", Given: []string{"peer"},
		Images: map[string]history.Image{"peer": {Ref: "me:5000/dragonflyoss/dfdaemon:dev"}},
	}
	stable := history.Run{ID: "s", System: "dragonfly", Release: "v2.2.1"}
	again := stable
	again.ID = "t"
	slow := stable
	slow.Profile = "production"
	for _, c := range []struct {
		runs []history.Run
		want string
	}{
		{[]history.Run{stable, candidate, {System: "reference", Release: "2.2.1"}}, "dragonfly v2.2.1|dragonfly v2.2.1 peer=dfdaemon:dev|reference 2.2.1"},
		{[]history.Run{stable, candidate, again}, "dragonfly v2.2.1 s|dragonfly v2.2.1 peer=dfdaemon:dev|dragonfly v2.2.1 t"},
		{[]history.Run{slow, {System: "reference", Profile: "fast"}}, "dragonfly v2.2.1 production|reference fast"},
	} {
		if got := strings.Join(titles(c.runs), "|"); got != c.want {
			t.Errorf("runs are called %q, want %q", got, c.want)
		}
	}
}

func TestComparisonAsTableAndAsMarkdown(t *testing.T) {
	first, last := timed(history.Pass, 100), timed(history.Fail, 400)
	first.Release, last.Release = "v2.2.1", "v2.3.0"
	more := func(to *history.Run, name, family string, v history.Verdict) {
		to.Scenarios = append(to.Scenarios, history.Scenario{Name: name, Labels: []string{"family:" + family}, Verdict: v})
	}
	more(&first, "zones | links", "a", history.Known)
	more(&last, "zones | links", "a", history.Pass)
	more(&first, "a port", "b", history.Pass)
	more(&last, "a port", "b", history.Pass)
	more(&first, "a proxy", "b", history.Pass)
	c := Compare([]history.Run{first, last})
	var table, page bytes.Buffer
	if err := c.Table(&table); err != nil {
		t.Fatal(err)
	}
	if err := c.Markdown(&page); err != nil {
		t.Fatal(err)
	}
	wantTable := `scenario        dragonfly v2.2.1  dragonfly v2.3.0
zones | links   KNOWN             PASS
a seed is lost  PASS 100 ms       FAIL 400 ms       worse

same verdict in all: 1 of 3
not in all runs: 1
green in dragonfly v2.2.1, and INCONCLUSIVE, INFRA, N/A or not run in dragonfly v2.3.0: 1
worse in dragonfly v2.3.0 than in dragonfly v2.2.1: 1
ms: the longest download from when the first fault was confirmed; it differs when by more than a factor of 2 and a second
`
	wantPage := `| scenario | dragonfly v2.2.1 | dragonfly v2.3.0 |  |
| --- | --- | --- | --- |
| zones \| links | KNOWN | PASS |  |
| a seed is lost | PASS 100 ms | FAIL 400 ms | worse |

- same verdict in all: 1 of 3
- not in all runs: 1
- green in dragonfly v2.2.1, and INCONCLUSIVE, INFRA, N/A or not run in dragonfly v2.3.0: 1
- worse in dragonfly v2.3.0 than in dragonfly v2.2.1: 1
- ms: the longest download from when the first fault was confirmed; it differs when by more than a factor of 2 and a second
`
	if d := cmp.Diff(wantTable, table.String()); d != "" {
		t.Errorf("table differs:\n%s", d)
	}
	if d := cmp.Diff(wantPage, page.String()); d != "" {
		t.Errorf("page differs:\n%s", d)
	}
}

func TestRunsThatDoNotDifferHaveNoTable(t *testing.T) {
	next := rounds(history.Pass)
	next.Release = "v2.3.0"
	c := Compare([]history.Run{rounds(history.Pass), next})
	want := "same verdict in all: 1 of 1\nworse in dragonfly v2.3.0 than in dragonfly v2.2.1: 0\n"
	var got bytes.Buffer
	if err := c.Table(&got); err != nil || got.String() != want {
		t.Errorf("%v, and\n%s\nwant\n%s", err, &got, want)
	}
	got.Reset()
	want = "- " + strings.ReplaceAll(strings.TrimSpace(want), "\n", "\n- ") + "\n"
	if err := c.Markdown(&got); err != nil || got.String() != want {
		t.Errorf("%v, and\n%s\nwant\n%s", err, &got, want)
	}
}
