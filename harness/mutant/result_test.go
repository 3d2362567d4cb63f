package mutant

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

func ended(name string, v history.Verdict, reason string, labels ...string) history.Scenario {
	return history.Scenario{Name: name, Verdict: v, Reason: reason, Labels: append([]string{"family:mtu"}, labels...)}
}

func TestOnlyAFailForTheReasonIsAKill(t *testing.T) {
	m := named("a b")[0]
	for _, c := range []struct {
		verdict      history.Verdict
		reason, fate string
	}{
		{history.Fail, "it\n  wanted  a\n  b", "killed: it wanted a b"},
		{history.Fail, "another", "alive: FAIL for another reason: another"},
		{history.Known, "wanted a b", "alive: KNOWN: wanted a b"},
		{history.Inconclusive, "wanted a b", "alive: INCONCLUSIVE: wanted a b"},
		{history.Infra, "wanted a b", "alive: INFRA: wanted a b"},
		{history.NotApplicable, "no manager", "alive: N/A: no manager"},
		{history.Pass, "", "alive: PASS"},
	} {
		p := m.Judge(ended("s", c.verdict, c.reason, "kills:a b"))
		if p.Fate() != c.fate || p.Killed != (c.fate[:6] == "killed") || !p.Declared || p.Family != "mtu" {
			t.Errorf("%s %q: %+v, %q, want %q", c.verdict, c.reason, p, p.Fate(), c.fate)
		}
	}
}

// meet is a mutant's result after scenarios that ended so.
func meet(m Mutant, scenarios ...history.Scenario) Result {
	r := New(m)
	for _, s := range scenarios {
		r.Pairs = append(r.Pairs, m.Judge(s))
	}
	return r.Conclude()
}

func TestStatusIsOfTheWorst(t *testing.T) {
	m := named("a")[0]
	declared := "kills:a"
	kill, other := ended("s1", history.Fail, "wanted a", declared), ended("s2", history.Fail, "else", declared)
	broken := New(m)
	broken.Trouble = "it could not be built"
	for what, c := range map[string]struct {
		result   Result
		want     int
		survives bool
	}{
		"killed":                            {meet(m, kill), report.ExitPass, false},
		"killed by one of two":              {meet(m, kill, other), report.ExitFail, false},
		"killed by what does not declare":   {meet(m, ended("s3", history.Fail, "wanted a")), report.ExitPass, false},
		"and by nothing else":               {meet(m, ended("s3", history.Pass, ""), ended("s4", history.Infra, ""), ended("s5", history.Fail, "wanted a")), report.ExitPass, false},
		"survived":                          {meet(m, ended("s3", history.Pass, "")), report.ExitFail, true},
		"survived what declares it":         {meet(m, ended("s3", history.Inconclusive, "", declared)), report.ExitFail, true},
		"one declared pair was not judged":  {meet(m, kill, ended("s2", history.Infra, "", declared)), report.ExitInfra, false},
		"not judged by all":                 {meet(m, ended("s3", history.Pass, ""), ended("s2", history.Infra, "")), report.ExitInfra, false},
		"a pair that broke weighs more":     {meet(m, other, ended("s4", history.Infra, "", declared)), report.ExitFail, false},
		"could not be built":                {broken.Conclude(), report.ExitInfra, false},
		"nothing was run":                   {New(m).Conclude(), report.ExitInfra, false},
		"N/A is no kill, declared or not":   {meet(m, ended("s3", history.NotApplicable, "", declared)), report.ExitFail, true},
		"a kill that is said to be for all": {meet(m, kill, ended("s2", history.Fail, "wanted a", declared)), report.ExitPass, false},
	} {
		r := Report{Mutants: []Result{c.result}}
		if got := r.ExitStatus(); got != c.want || (len(r.Survivors()) > 0) != c.survives {
			t.Errorf("%s: status %d, survivors %d, want %d, %v", what, got, len(r.Survivors()), c.want, c.survives)
		}
	}
}

// sample is a report with one of everything.
func sample() Report {
	all := named("a", "b", "c", "d")
	broken := New(all[3])
	broken.Trouble = "it could not be built: images/swarm/x.go:3:\nundefined: y"
	r := Report{Seed: 7, Commit: "0123abc", Matrix: "declared", Of: 4, WallMS: 61500, Host: history.Host{CPUs: 2}, Mutants: []Result{
		meet(all[0], ended("An MTU black hole", history.Fail, "Expected\n  wanted a", "kills:a"), ended("Another hole", history.Inconclusive, "it did not bite", "kills:a")),
		meet(all[1], ended("Another hole", history.Pass, "", "kills:b"), ended("A third", history.Fail, "else | or"), ended("A fourth", history.NotApplicable, "no manager")),
		meet(all[2], ended("A third", history.Fail, "wanted c")),
		broken.Conclude(),
	}}
	r.FindIdle([]string{"An MTU black hole", "Another hole", "A third"})
	return r
}

func TestIdleScenariosKilledNothing(t *testing.T) {
	if r := sample(); !slices.Equal(r.Idle, []string{"Another hole"}) {
		t.Errorf("idle are %v", r.Idle)
	}
	for family, want := range map[string]bool{"mtu": true, "canary": false, "faults": false} {
		if got := OfSwarm([]string{"smoke", "family:" + family}); got != want {
			t.Errorf("%s judges the swarm: %v", family, got)
		}
	}
}

var update = flag.Bool("update", false, "write golden files anew")

func TestReportReadsWell(t *testing.T) {
	var table, page bytes.Buffer
	r := sample()
	if err := r.Write(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.Page(&page); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*bytes.Buffer{"table.txt": &table, "page.md": &page} {
		path := "testdata/" + name
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

func TestMatrixOfManyIsNumberedInTwoLines(t *testing.T) {
	var r Report
	for i := range 12 {
		m := named(string(rune('a' + i)))[0]
		r.Mutants = append(r.Mutants, meet(m, ended("An MTU black hole", history.Fail, "wanted "+m.Name, "kills:"+m.Name)))
	}
	var got bytes.Buffer
	if err := r.WriteMatrix(&got); err != nil {
		t.Fatal(err)
	}
	want := "Scenarios by mutants: " + legend + "\n           1 11\n  1234567890 12\nmtu\n  KKKKKKKKKK KK  An MTU black hole\n"
	if got.String() != want {
		t.Errorf("matrix is\n%s\nwant\n%s", &got, want)
	}
}
