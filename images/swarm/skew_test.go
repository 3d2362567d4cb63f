package swarm_test

import (
	"testing"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// Under 2.2.1 a peer 2.1.0 and a peer 2.3.0 are in one swarm and do not understand each
// other: they are never sent to each other, and one of 2.2.1 stands between them.
func TestReleasesTwoApartShareThroughTheOneBetween(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11)
	b.peer(11, "2.1.0", true, 1)
	old, between, newer := b.peer(21, "2.1.0", false, 1), b.peer(22, stable, false, 1), b.peer(23, "2.3.0", false, 1)
	b.counts(s, 4, timers.Fast.RejoinWithin())
	for _, p := range []*peer{between, old, newer} {
		if r := p.mustGet(fixtures.Layer4M); r.From.Origin != 0 {
			t.Errorf("%s: not from the swarm: %+v", p.Host().GetName(), r)
		}
	}
	if got := b.origin.bytes.Load(); got != fixtures.Layer4M.Size {
		t.Errorf("the origin served %d bytes", got)
	}
	if lines := b.logs.find(`"cause":"version mismatch"`); len(lines) > 0 {
		t.Errorf("peers were sent to others that they do not understand: %s", lines)
	}
}
