package harness

import (
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/cluster"
)

func TestEngineProblems(t *testing.T) {
	well := cluster.Info{Version: "20.10.24", API: "1.41", MemoryBytes: 2 << 30}
	old, small := well, well
	old.API, small.MemoryBytes = "1.9", 1<<30
	for _, c := range []struct {
		name string
		info cluster.Info
		want string // in the only problem; none if empty
	}{
		{"just enough", well, ""},
		{"1.9 is older than 1.41", old, "API 1.41"},
		{"short of memory", small, "1024 MiB of memory: give it 2048 MiB"},
	} {
		got := engineProblems(c.info)
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: %v", c.name, got)
		case c.want != "" && (len(got) != 1 || !got[0].Fatal || !strings.Contains(got[0].String(), c.want)):
			t.Errorf("%s: %v, want one fatal problem with %q", c.name, got, c.want)
		}
	}
}

func TestLeftoversAreNoted(t *testing.T) {
	if got := leftoverProblems(nil); got != nil {
		t.Errorf("nothing left is a problem: %v", got)
	}
	got := leftoverProblems([]cluster.Leftover{{Session: "a"}, {Session: "a"}, {Session: "b"}})
	if len(got) != 1 || got[0].Fatal || got[0].String() != "3 containers and networks are left of 2 killed runs: remove them: make clean" {
		t.Errorf("problems are %v", got)
	}
}

func TestKernelProblems(t *testing.T) {
	can := map[string]string{"nft-dnat-map": "yes", "nft-ct-original": "yes", "nft-reject": "yes", "htb": "yes"}
	if got := KernelProblems(can); len(got) > 0 {
		t.Errorf("a kernel that can do all has problems: %v", got)
	}
	can["netem"] = "no such qdisc"
	delete(can, "nft-reject")
	got := KernelProblems(can)
	if len(got) != 2 || !got[0].Fatal || got[1].Fatal {
		t.Fatalf("problems are %v, want reject missing (fatal) and netem missing (not)", got)
	}
	if !strings.Contains(got[0].What, "nft-reject (not probed)") || !strings.Contains(got[1].What, "netem (no such qdisc)") {
		t.Errorf("problems are %v", got)
	}
}
