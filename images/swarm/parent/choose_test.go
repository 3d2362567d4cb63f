package parent_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/images/swarm/parent"
)

func near(name string, change func(*parent.Candidate)) parent.Candidate {
	c := parent.Candidate{Name: name, Reachable: true, FreeSlots: 10, Pieces: 4}
	if change != nil {
		change(&c)
	}
	return c
}

// Seen red by removing each term from the score, and each condition from the filter.
func TestChoose(t *testing.T) {
	child := parent.Candidate{Name: "child", IDC: "idc-1", Location: "fi|hel|a|r1"}
	for _, c := range []struct {
		name       string
		candidates []parent.Candidate
		want       []string
	}{
		{"nobody", nil, []string{}},
		{"not itself", []parent.Candidate{near("child", nil)}, []string{}},
		{"not one that cannot be reached", []parent.Candidate{near("a", func(c *parent.Candidate) { c.Reachable = false })}, []string{}},
		{"not one that failed too many", []parent.Candidate{near("a", func(c *parent.Candidate) { c.Failures = parent.MaxFailures })}, []string{}},
		{"same idc first", []parent.Candidate{
			near("far", func(c *parent.Candidate) { c.IDC = "idc-2"; c.FreeSlots = 15 }),
			near("near", func(c *parent.Candidate) { c.IDC = "idc-1"; c.FreeSlots = 0 }),
		}, []string{"near", "far"}},
		{"closer location first", []parent.Candidate{
			near("city", func(c *parent.Candidate) { c.Location = "fi|hel" }),
			near("rack", func(c *parent.Candidate) { c.Location = "fi|hel|a|r1" }),
			near("country", func(c *parent.Candidate) { c.Location = "FI|tmp" }),
		}, []string{"rack", "city", "country"}},
		{"free slots first", []parent.Candidate{
			near("busy", func(c *parent.Candidate) { c.FreeSlots = 1 }), near("idle", nil),
		}, []string{"idle", "busy"}},
		{"free slots first, whatever the names", []parent.Candidate{
			near("idle", func(c *parent.Candidate) { c.FreeSlots = 1 }), near("busy", nil),
		}, []string{"busy", "idle"}},
		{"failed ones last", []parent.Candidate{
			near("shaky", func(c *parent.Candidate) { c.Failures = 1; c.FreeSlots = 15 }), near("sound", nil),
		}, []string{"sound", "shaky"}},
		{"normal peers before seeds", []parent.Candidate{
			near("seed", func(c *parent.Candidate) { c.Seed = true; c.Pieces = 9 }), near("peer", nil),
		}, []string{"peer", "seed"}},
		{"more pieces among equals", []parent.Candidate{
			near("some", nil), near("more", func(c *parent.Candidate) { c.Pieces = 5 }),
		}, []string{"more", "some"}},
		{"more pieces among equals, whatever the names", []parent.Candidate{
			near("more", nil), near("some", func(c *parent.Candidate) { c.Pieces = 5 }),
		}, []string{"some", "more"}},
	} {
		if diff := cmp.Diff(c.want, parent.Choose(child, c.candidates, 4)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestChooseKeepsTheLimitAndSpreads(t *testing.T) {
	candidates := []parent.Candidate{near("a", nil), near("b", nil), near("c", nil), near("d", nil), near("e", nil)}
	firsts := map[string]bool{}
	for _, child := range []string{"k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"} {
		chosen := parent.Choose(parent.Candidate{Name: child}, candidates, 2)
		if len(chosen) != 2 {
			t.Fatalf("%d parents for %s", len(chosen), child)
		}
		again := slices.Clone(candidates)
		slices.Reverse(again)
		if diff := cmp.Diff(chosen, parent.Choose(parent.Candidate{Name: child}, again, 2)); diff != "" {
			t.Errorf("the order of the candidates decides for %s:\n%s", child, diff)
		}
		firsts[chosen[0]] = true
	}
	if len(firsts) < 2 {
		t.Errorf("all children go to %v", firsts)
	}
}
