package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/report"
)

// noEngine points the command at an engine that is not there: what is refused with 64
// in spite of it was refused before anybody asked for one.
func noEngine(t *testing.T) {
	t.Helper()
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
}

func TestBadInputIsOneLineAndNothingStarts(t *testing.T) {
	noEngine(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--procs", "zero"}, `procs "zero" is no count`},
		{[]string{"run", "--procs", "0"}, `procs "0" is no count`},
		{[]string{"run", "--procs", "-2"}, `procs "-2" is no count`},
		{[]string{"run", "--repeat", "-1"}, `repeat "-1" is no count`},
		{[]string{"run", "--seed", "1.5"}, `seed "1.5" is no whole number`},
		{[]string{"run", "--focus", "("}, `focus "(" is no regular expression`},
		{[]string{"run", "--labels", "a &&"}, `labels "a &&" is no label filter: Unexpected EOF.`},
		{[]string{"run", "--profile", "slow"}, "choose fast or production"},
		{[]string{"run", "--release", "v2.3.0"}, "the reference system is built in all of its own"},
		{[]string{"run", "--manager", "a/manager:1"}, `MANAGER "a/manager:1": the reference system has none: use SUPERNODE and PEER`},
		{[]string{"run", "--scheduler", "a/scheduler:1"}, `SCHEDULER "a/scheduler:1"`},
		{[]string{"run", "--seed-peer", "a/peer:1"}, `SEEDPEER "a/peer:1"`},
		{[]string{"run", "--seed", "a/peer:1"}, `seed "a/peer:1" is no whole number`},
		{[]string{"run", "--system", "dragonfly", "--supernode", "a/b:1"}, `supernode "a/b:1": dragonfly has a manager and a scheduler in its place: use MANAGER and SCHEDULER`},
		{[]string{"run", "--system", "dragonfly", "--release", "v9.9.9"}, "v9.9.9"},
		{[]string{"run", "--system", "dragonfly", "--seed", "1.5"}, `seed "1.5" is no whole number`},
		{[]string{"run", "--system", "dragonfly", "--seed", "a/peer:1", "--seed-peer", "a/peer:2"}, "both name the seed peer's image"},
		{[]string{"run", "--system", "kraken"}, "choose reference or dragonfly"},
		{[]string{"run", "--evidence", "some"}, "choose failed or all"},
		{[]string{"run", "--out", "options_test.go"}, "is not a folder"},
		{[]string{"run", "--procs", "x", "--seed", "x"}, "procs"},
		{[]string{"run", "scenarios/ports.go"}, "unknown argument"},
		{[]string{"run", "--nosuch"}, "unknown flag: --nosuch"},
		{[]string{"list", "--labels", "("}, "is no label filter"},
		{[]string{"clean", "--older-than", "-1h"}, "is no age"},
		{[]string{"judge"}, "judge wants one run"},
		{[]string{"judge", "nowhere"}, "no such file"},
		{[]string{"bed", "--nodes", "-1"}, "counts cannot be negative"},
		{[]string{"bed", "--nodes", "2", "--seeds", "3"}, "3 seeds among 2 nodes"},
		{[]string{"bed", "--seeds", "many"}, `seeds "many"`},
		{[]string{"mutants", "--matrix", "half"}, "choose declared or full"},
		{[]string{"mutants", "--sample", "0"}, `sample "0" is no count`},
		{[]string{"mutants", "--procs", "many"}, `procs "many" is no count`},
		{[]string{"mutants", "--seed", "x"}, `seed "x" is no whole number`},
		{[]string{"mutants", "--mutant", "a", "--sample", "2"}, "leave one out"},
		{[]string{"mutants", "--matrix", "full", "--sample", "2"}, "leave one out"},
		{[]string{"mutants", "--mutant", "no-such-mutant"}, `mutant "no-such-mutant" is not in fixtures/mutants`},
		{[]string{"mutants", "a-mutant"}, `unknown argument "a-mutant"`},
		{[]string{"explore", "--n", "0"}, `n "0" is no count: give a whole number from 1`},
		{[]string{"explore", "--n", "x"}, `n "x" is no count`},
		{[]string{"explore", "--seed", "x"}, `seed "x" is no whole number`},
		{[]string{"explore", "--procs", "0"}, `procs "0" is no count`},
		{[]string{"explore", "--focus", "("}, `focus "(" is no regular expression`},
		{[]string{"explore", "--profile", "slow"}, "choose fast or production"},
		{[]string{"explore", "--labels", "smoke"}, "unknown flag: --labels"},
		{[]string{"explore", "7"}, `unknown argument "7"`},
		{[]string{"dance"}, `unknown argument "dance"`},
	} {
		var stdout, stderr bytes.Buffer
		status := execute(t.Context(), c.args, &stdout, &stderr)
		said := stderr.String()
		if status != report.ExitUsage || !strings.HasPrefix(said, "faultbed: ") || !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%v: status %d, said %q, want 64 and one line with %q", c.args, status, said, c.want)
		}
		if stdout.Len() > 0 {
			t.Errorf("%v: printed %q", c.args, &stdout)
		}
	}
}

func TestWithoutAnEngineIsInfra(t *testing.T) {
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.30")
	}))
	defer old.Close()
	for host, want := range map[string]string{
		"unix://" + filepath.Join(t.TempDir(), "none.sock"): "none answers: start it",
		"tcp://" + old.Listener.Addr().String():             "container engine too old",
	} {
		t.Setenv("DOCKER_HOST", host)
		for _, command := range []string{"run", "doctor", "images", "clean"} {
			var stdout, stderr bytes.Buffer
			status := execute(t.Context(), []string{command}, &stdout, &stderr)
			if said := stderr.String(); status != report.ExitInfra || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
				t.Errorf("%s on %s: status %d, said %q, want 3 and one line with %q", command, host, status, said, want)
			}
		}
	}
}

func TestSeedIsKeptOrMade(t *testing.T) {
	o, err := words{target: target{system: "reference"}, profile: "fast", evidence: "failed", seed: "-7", repeat: "3"}.parse(t.TempDir())
	if err != nil || o.seedOf(1) != -7 || o.seedOf(3) != -5 {
		t.Errorf("seeds of rounds 1 and 3 are %d and %d, %v", o.seedOf(1), o.seedOf(3), err)
	}
	a, _ := seedFrom("")
	b, _ := seedFrom("")
	c, _ := seedFrom("")
	if a == b && b == c {
		t.Errorf("three runs without a seed all got %d", a)
	}
}

func TestLabelsInFindsEveryLabel(t *testing.T) {
	for filter, want := range map[string][]string{
		"":                              nil,
		"smoke":                         {"smoke"},
		"a && (b || !family:mtu), c d":  {"a", "b", "family:mtu", "c d"},
		"/fault:.*/ && a":               {"a"},
		"fault: containsAny {drop,mtu}": {"fault:drop", "fault:mtu"},
		"fault: consistsOf drop || b":   {"fault:drop", "b"},
		"fault: isEmpty && b":           {"b"},
	} {
		got := labelsIn(filter)
		if slices.Sort(got); !slices.Equal(got, sorted(want)) {
			t.Errorf("%q: labels %q, want %q", filter, got, want)
		}
	}
}

func sorted(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return words
}

func TestUnknownLabelIsNamedWithTheKnown(t *testing.T) {
	specs := []spec{{labels: []string{"smoke", "family:mtu"}}, {labels: []string{"family:ports"}}}
	if err := checkLabels("Smoke && !family:MTU && /nosuch/", specs); err != nil {
		t.Errorf("known labels are refused: %v", err)
	}
	err := checkLabels("smoke || family:mut", specs)
	if err == nil || !strings.Contains(err.Error(), `"family:mut"`) || !strings.Contains(err.Error(), "family:mtu, family:ports, smoke") {
		t.Errorf("an unknown label ends in %v", err)
	}
}
