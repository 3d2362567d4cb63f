package virtual_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/virtual"
)

// told is what came of a story under a profile.
func told(t *testing.T, s story, profile timers.Profile) (decisions []virtual.Decision) {
	t.Helper()
	virtual.Run(t, profile, func(b *virtual.Bed) {
		s.tell(b, assemble(b, s.supernodes...))
		b.Pass(b.Timers.RPCTimeout) // what the last step set off comes to its end
		decisions = slices.DeleteFunc(b.Decisions(), func(d virtual.Decision) bool { return d.Node == s.racing })
	})
	return decisions
}

// The same decisions follow under both profiles (DESIGN, D10).
//
// What a node decides about one target is compared in its order. So is all that a node
// decides about several, if it does so alone: what it finds out about several others at
// one time has no order, since each has a ticker or a backoff of its own.
func TestProfilesDecideAlike(t *testing.T) {
	t.Parallel()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if diff := differ(told(t, s, timers.Fast), told(t, s, timers.Production)); diff != "" {
				t.Errorf("fast (-) and production (+) differ:\n%s", diff)
			}
		})
	}
}

// A profile whose relations are broken decides otherwise, and is found out.
func TestBrokenProfilesDecideOtherwise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		story    string
		breaking func(*timers.Profile)
	}{
		"lease shorter than heartbeat": {"primary seed refuses", func(p *timers.Profile) { p.Lease = p.Heartbeat / 2 }},
		"children give up before a silent seed is given up": {"primary seed is silent", func(p *timers.Profile) {
			p.ScheduleTimeout = p.SeedFirstByte / 2
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(stories, func(s story) bool { return s.name == c.story })
			broken := timers.Production
			c.breaking(&broken)
			if differ(told(t, stories[i], timers.Fast), told(t, stories[i], broken)) == "" {
				t.Errorf("%q is told alike", c.story)
			}
		})
	}
}

func differ(a, b []virtual.Decision) string {
	return cmp.Diff(virtual.ByTarget(a), virtual.ByTarget(b)) + cmp.Diff(virtual.ByNode(own(a)), virtual.ByNode(own(b)))
}

// own leaves out what nodes find out about others: calls to them, and what the supernode
// makes of those.
func own(decisions []virtual.Decision) []virtual.Decision {
	return slices.DeleteFunc(slices.Clone(decisions), func(d virtual.Decision) bool {
		return strings.HasPrefix(d.What, "check failed") || strings.HasPrefix(d.What, "list failed") ||
			(d.Node == "supernode" || d.Node == "second") && !strings.HasPrefix(d.What, "seed ")
	})
}
