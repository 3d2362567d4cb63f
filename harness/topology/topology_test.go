package topology_test

import (
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/topology"
)

func TestNewRefusesWhatCannotBe(t *testing.T) {
	for _, tc := range []struct {
		nodes, seeds int
		want         string // "" means that it can be
	}{
		{8, 2, ""},
		{2, 2, ""},
		{0, 0, ""},
		{-1, 0, "counts cannot be negative"},
		{3, -1, "counts cannot be negative"},
		{2, 3, "3 seeds among 2 nodes"},
		{1000, 2, "at most 100 fit"},
	} {
		_, err := topology.New(tc.nodes, tc.seeds)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("New(%d, %d) = %v, want %q", tc.nodes, tc.seeds, err, tc.want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := topology.Small().Validate(); err != nil {
		t.Error(err)
	}
	twice := topology.Small()
	twice.Nodes = append(twice.Nodes, twice.Nodes[0], topology.Node{Name: "a b", Role: "king"})
	err := twice.Validate()
	for _, want := range []string{"second node named supernode-1", `name "a b"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %q", err, want)
		}
	}
	if err := topology.Of(0, 1, 1).Validate(); err == nil {
		t.Error("a swarm without a supernode was accepted")
	}
}

func TestEditsLeaveTheOriginalAlone(t *testing.T) {
	small := topology.Small()
	old := small.Released("2.1.0", "peer-1")
	if n, _ := small.Node("peer-1"); n.Release != topology.Stable {
		t.Errorf("Released changed its receiver to %s", n.Release)
	}
	if n, _ := old.Node("peer-1"); n.Release != "2.1.0" {
		t.Errorf("peer-1 runs %s", n.Release)
	}
	if n, _ := old.Node("peer-2"); n.Release != topology.Stable {
		t.Errorf("peer-2 runs %s", n.Release)
	}
}
