package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/mutant"
	"github.com/faultbed/faultbed/harness/report"
)

// playhouse is a stage on which every scenario ends as it is told to, or passes.
type playhouse struct {
	ends       map[string]history.Scenario // by "mutant/scenario"
	unbuilt    string                      // mutant that cannot be built
	left       string                      // mutant whose images cannot be removed
	afterFirst func()                      // is called when the first scenario has ended

	mu    sync.Mutex
	there map[string]bool // images
	most  int             // images at once
	ran   map[string]int  // by "mutant/scenario"
	acts  []string        // filters
}

func (p *playhouse) build(_ context.Context, m mutant.Mutant) (cluster.ImageSet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there[m.Name] = true
	p.most = max(p.most, len(p.there))
	if p.unbuilt == m.Name {
		return nil, errors.New("undefined: y")
	}
	return cluster.ImageSet{"peer@2.2.1": m.Name}, nil
}

func (p *playhouse) remove(ctx context.Context, m mutant.Mutant) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == m.Name {
		return errors.New("it is in use")
	}
	delete(p.there, m.Name)
	return ctx.Err()
}

func (p *playhouse) play(i *interruption, m mutant.Mutant, images cluster.ImageSet, a act, dir func(string), tell func(history.Scenario)) error {
	dir("mutants/" + m.Name)
	if images["peer@2.2.1"] != m.Name {
		return fmt.Errorf("%s runs on %v", m.Name, images)
	}
	p.mu.Lock()
	p.acts = append(p.acts, a.filter)
	p.mu.Unlock()
	for _, s := range a.chosen {
		if i.asked.Err() != nil {
			tell(history.Scenario{Name: s.name, Labels: s.labels, Verdict: history.Infra, Reason: "interrupted"})
			continue
		}
		one := p.ends[m.Name+"/"+s.name]
		if one.Verdict == "" {
			one.Verdict = history.Pass
		}
		one.Name, one.Labels = s.name, s.labels
		p.mu.Lock()
		p.ran[m.Name+"/"+s.name]++
		p.mu.Unlock()
		tell(one)
		if p.afterFirst != nil {
			p.afterFirst()
		}
	}
	return nil
}

// season is trials of mutants a, b and c on a playhouse, of which b and c are of one source.
// Scenario s1 declares a and b, s2 declares a, s3 and s4 nothing, and s5 judges the bed.
func season(t *testing.T, p *playhouse, o mutantOptions) (*trials, *bytes.Buffer) {
	t.Helper()
	p.there, p.ran = map[string]bool{}, map[string]int{}
	for _, name := range []string{"a", "b", "c"} {
		o.all = append(o.all, mutant.Mutant{Name: name, Seen: regexp.MustCompile("wanted " + name), Sources: map[string][]byte{"rest.go": nil}})
	}
	o.all[0].Sources = map[string][]byte{"first.go": nil}
	o.chosen, o.out = o.all, t.TempDir()
	specs := []spec{
		{name: "s1", labels: []string{"family:mtu", "kills:a", "kills:b"}},
		{name: "s2", labels: []string{"family:mtu", "kills:a"}},
		{name: "s3", labels: []string{"family:retry"}},
		{name: "s4", labels: []string{"family:retry", "needs:manager"}},
		{name: "s5", labels: []string{"family:canary"}},
	}
	var out bytes.Buffer
	trials := newTrials(o, specs, cluster.Info{CPUs: 2}, newScreen(&out))
	trials.report.Of = len(o.all)
	trials.stage = p
	return trials, &out
}

// run plays the season and returns its exit status.
func (t *trials) run(tb testing.TB, i *interruption) int {
	tb.Helper()
	t.all(i)
	err := t.close(i)
	var end exit
	if err != nil && !errors.As(err, &end) {
		tb.Fatal(err)
	}
	return end.status
}

func kill(name string) history.Scenario {
	return history.Scenario{Verdict: history.Fail, Reason: "wanted " + name}
}

func TestDeclaredPairsAreRunAndOthersOnlyForWhatSurvivesThem(t *testing.T) {
	p := &playhouse{ends: map[string]history.Scenario{
		"a/s1": kill("a"), "a/s2": kill("a"),
		"b/s1": {Verdict: history.Fail, Reason: "another"}, "b/s3": kill("b"),
		"c/s1": kill("c"),
	}}
	trials, out := season(t, p, mutantOptions{})
	i, _ := wished(t)
	if status := trials.run(t, i); status != report.ExitFail {
		t.Errorf("status %d, want 1: s1 does not kill b\n%s", status, out)
	}
	// a by what declares it alone; b by that, then by others to the first kill; c by
	// what declares b, which is of the same source and kills it. Nothing runs twice, nothing of
	// the bed's own.
	want := []string{"a/s1", "a/s2", "b/s1", "b/s2", "b/s3", "c/s1"}
	if got := slices.Sorted(maps.Keys(p.ran)); !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
	slices.Sort(p.acts)
	if acts := strings.Join(slices.Compact(p.acts), "; "); acts != "!(kills:c) && !kills:b && !family:canary && !family:faults; (kills:b) && !kills:c && !family:canary && !family:faults; kills:a; kills:b" {
		t.Errorf("filters were %s", acts)
	}
	if len(p.there) > 0 || p.most > trials.atOnce+1 {
		t.Errorf("left are %v, at most %d at once for %d", p.there, p.most, trials.atOnce)
	}
	for _, want := range []string{
		"alive: FAIL for another reason: another", "[1/3] a killed by 2 of 2", "Declared, and did not kill\n  b: s1:",
		`kills("c"): s1`, "3 of 3 mutants killed",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output is\n%s\nwant %q in it", out, want)
		}
	}
	if r := trials.report; !slices.Equal(r.Mutants[0].KilledBy, []string{"s1", "s2"}) || r.Mutants[2].Pairs[0].Run != "mutants/c" {
		t.Errorf("report is %+v", r)
	}
}

func TestFullMatrixRunsEveryPair(t *testing.T) {
	p := &playhouse{ends: map[string]history.Scenario{"a/s1": kill("a"), "a/s2": kill("a"), "b/s1": kill("b"), "c/s3": kill("c")}}
	trials, out := season(t, p, mutantOptions{full: true})
	i, _ := wished(t)
	if status := trials.run(t, i); status != report.ExitPass || len(p.ran) != 12 {
		t.Errorf("status %d, ran %v, want 4 scenarios against 3 mutants\n%s", status, p.ran, out)
	}
	if len(trials.report.Idle) != 0 {
		t.Errorf("idle are %v", trials.report.Idle) // s4 cannot apply, s5 is the bed's
	}
}

func TestSampleRunsDeclaredPairsOnly(t *testing.T) {
	p := &playhouse{}
	trials, out := season(t, p, mutantOptions{sample: 3})
	trials.options.chosen = trials.options.all[:2]
	i, _ := wished(t)
	if status := trials.run(t, i); status != report.ExitFail || len(p.ran) != 3 {
		t.Errorf("status %d, ran %v, want declared pairs of a and b\n%s", status, p.ran, out)
	}
}

func TestWhatCannotBeJudgedIsInfra(t *testing.T) {
	for what, p := range map[string]*playhouse{
		"unbuilt": {unbuilt: "b"},
		"left":    {left: "b"},
		"infra":   {ends: map[string]history.Scenario{"b/s1": {Verdict: history.Infra, Reason: "no bed"}}},
	} {
		p.ends = maps.Clone(p.ends)
		if p.ends == nil {
			p.ends = map[string]history.Scenario{"b/s1": kill("b")}
		}
		maps.Copy(p.ends, map[string]history.Scenario{"a/s1": kill("a"), "a/s2": kill("a"), "c/s3": kill("c")})
		trials, out := season(t, p, mutantOptions{})
		i, _ := wished(t)
		if status := trials.run(t, i); status != report.ExitInfra || !strings.Contains(out.String(), "Not judged\n  b: ") {
			t.Errorf("%s: status %d\n%s", what, status, out)
		}
		if p.ran["b/s3"] > 0 {
			t.Errorf("%s: others ran in place of what was not judged", what)
		}
	}
}

func TestInterruptedTrialsRemoveWhatTheyBuilt(t *testing.T) {
	p := &playhouse{}
	trials, out := season(t, p, mutantOptions{})
	i, ask := wished(t)
	p.afterFirst = ask
	if status := trials.run(t, i); status != report.ExitInterrupted || len(p.there) > 0 {
		t.Errorf("status %d, left are %v\n%s", status, p.there, out)
	}
	if r := trials.report; !r.Interrupted || len(r.Mutants) > 0 || strings.Contains(out.String(), "SURVIVES") {
		t.Errorf("report is %+v: nothing was judged\n%s", r, out)
	}
}

func TestUnknownMutantsInTheSuiteAreRefused(t *testing.T) {
	err := declare(nil, []spec{{labels: []string{"kills:x"}, location: "scenarios/a.go:1"}, {labels: []string{"kills:y"}, location: "scenarios/b.go:2"}})
	var end exit
	if !errors.As(err, &end) || end.status != report.ExitUsage {
		t.Fatalf("refused with %v", err)
	}
	for _, want := range []string{`scenarios/a.go:1: kills("x")`, `faultbed: scenarios/b.go:2: kills("y")`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

func TestListTellsMutantsOnRequest(t *testing.T) {
	specs := []spec{{name: "s1", labels: []string{"kills:a", "smoke"}}}
	for kills, want := range map[bool]string{false: "s1  smoke\n", true: "s1  smoke, kills:a\n"} {
		var out bytes.Buffer
		if err := printSpecs(&out, specs, kills); err != nil || out.String() != want {
			t.Errorf("kills %v: %q, %v", kills, &out, err)
		}
	}
}
