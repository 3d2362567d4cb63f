package deadmen

import (
	"slices"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	good := Result{
		Kills:   []Kill{{N: 1, Aim: Healing, Phase: Healing, Settled: Settled{GoneMS: 7000, HostMS: 7100}}},
		Strikes: []Strike{{N: 1, Status: 3}}, Pairs: []Pair{{N: 1}},
	}
	if f := good.Faults(); len(f) > 0 {
		t.Errorf("faults of a good trial: %q", f)
	}
	bad := Result{
		Undisturbed: []string{"mounts: left: /x"},
		Kills: []Kill{
			{N: 1, Aim: Healing, Phase: Injecting, Settled: Settled{Left: []string{"container a", "network b"}}},
			{N: 2, Aim: Stopping, Phase: Ended},
		},
		Strikes: []Strike{{N: 1, Wrong: []string{"ended with 0"}, Settled: Settled{Left: []string{"container c"}}}},
		Pairs:   []Pair{{N: 1, Wrong: []string{"ended with 1"}}},
	}
	want := []string{
		"undisturbed: mounts: left: /x",
		"kill 1 while injecting: container a", "kill 1 while injecting: network b",
		"no kill has hit a run while healing, 1 were to", "no kill has hit a run while stopping, 1 were to",
		"faultd 1: ended with 0", "faultd 1: container c", "pair 1: ended with 1",
	}
	if f := bad.Faults(); !slices.Equal(f, want) {
		t.Errorf("faults %q, want %q", f, want)
	}
}

func TestTable(t *testing.T) {
	var text strings.Builder
	r := Result{Kills: []Kill{
		{Phase: Healing, Victim: Everything, Settled: Settled{GoneMS: 6000, HostMS: 6500}},
		{Phase: Healing, Victim: Process, Settled: Settled{GoneMS: 8000, Left: []string{"x"}}},
		{Phase: Ended, Victim: Everything},
	}}
	if err := r.Table(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"healing      2   8.0 s    8.0 s", "everything      1   6.5 s    6.5 s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, text.String())
		}
	}
}
