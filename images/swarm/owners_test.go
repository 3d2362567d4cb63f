package swarm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/owner"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// owned is the first fixture among fresh ones that the supernode at that address owns, of two.
func (b *bed) owned(by int) fixtures.File {
	b.t.Helper()
	for n := range 64 {
		f := fixtures.Fresh(n + 1)
		if owner.Order(piece.TaskID(b.origin.url(f), f.SHA256), []string{"supernode-1", "supernode-2"})[0] == fmt.Sprintf("supernode-%d", by) {
			return f
		}
	}
	b.t.Fatalf("supernode-%d owns none of 64 tasks", by)
	return fixtures.File{}
}

// asked says which supernodes were asked for a file.
func (b *bed) asked(f fixtures.File) []string {
	var names []string
	for line := range strings.Lines(b.logs.String()) {
		for _, name := range []string{"supernode-1", "supernode-2"} {
			if strings.Contains(line, `"task wanted"`) && strings.Contains(line, f.Name) && strings.Contains(line, `"node":"`+name+`"`) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// heldBy waits until so many supernodes hold the peer.
func (p *peer) heldBy(n int) {
	p.b.t.Helper()
	eventually(p.b.t, timers.Fast.RejoinWithin(), fmt.Sprintf("held by %d supernodes", n), func() (string, bool) {
		held := p.Snapshot().Supernodes
		return fmt.Sprint(held), len(held) == n
	})
}

// Seen red with an owner that is always the first supernode.
func TestEachTaskIsAskedOfItsOwner(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	one, two := b.supernode(1, stable, 11), b.supernode(2, stable, 11)
	seed := b.peer(11, stable, true, 1, 2)
	p, q := b.peer(21, stable, false, 1, 2), b.peer(22, stable, false, 2, 1)
	b.counts(one, 3, timers.Fast.RejoinWithin())
	b.counts(two, 3, timers.Fast.RejoinWithin())
	p.heldBy(2)
	q.heldBy(2)
	seed.heldBy(2)
	for by := 1; by <= 2; by++ {
		f := b.owned(by)
		for _, from := range []*peer{p, q} {
			if r := from.mustGet(f); r.From.Origin != 0 {
				t.Errorf("not from the swarm: %+v", r)
			}
		}
		if got := b.asked(f); !slices.Equal(got, []string{fmt.Sprintf("supernode-%d", by)}) {
			t.Errorf("asked of %v, and not of supernode-%d alone", got, by)
		}
	}
}

// Seen red with an owner among the configured supernodes instead of the live ones.
func TestTasksOfALostOwnerFallToTheNextAndReturn(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	one, two := b.supernode(1, stable, 11), b.supernode(2, stable, 11)
	b.peer(11, stable, true, 1, 2)
	p := b.peer(21, stable, false, 1, 2)
	b.counts(one, 2, timers.Fast.RejoinWithin())
	b.counts(two, 2, timers.Fast.RejoinWithin())
	p.heldBy(2)
	f := b.owned(1)
	b.origin.slow(256 << 10)
	done := make(chan dfget.Result, 1)
	go func() { done <- p.get(f, true) }()
	eventually(t, timers.Fast.FallbackWithin(), "the download is under way", func() (string, bool) {
		for _, task := range p.Snapshot().Tasks {
			return fmt.Sprint(task), task.Held > 0
		}
		return "no task", false
	})
	one.stop()
	eventually(t, timers.Fast.NoticeWithin(), "the other owns it", func() (string, bool) {
		got := b.asked(f)
		return fmt.Sprint(got), len(got) == 2
	})
	b.origin.release()
	if r := <-done; !r.OK || r.From.Origin != 0 {
		t.Errorf("the download did not go on under the next owner: %+v", r)
	}
	b.counts(b.supernode(1, stable, 11), 2, timers.Fast.RejoinWithin())
	p.heldBy(2)
	again := b.origin.url(f) + "?again"
	for n := 0; owner.Order(piece.TaskID(again, ""), []string{"supernode-1", "supernode-2"})[0] != "supernode-1"; n++ {
		again = fmt.Sprintf("%s?again=%d", b.origin.url(f), n)
	}
	if r := p.getURL(again); !r.OK || r.From.Origin != 0 {
		t.Errorf("after the owner's return: %+v", r)
	}
	if lines := b.logs.find(`"task wanted"`, again, `"node":"supernode-1"`, `"peer":"peer-21"`); len(lines) != 1 {
		t.Errorf("the owner that is back was not asked: %v", lines)
	}
}

// Seen red with a supernode that does not look at sessions: the two places of the peer
// drop each other for ever.
func TestTwoNamesOfOneSupernodeAreOnePlace(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable)
	b.lead("tracker", 1)
	p := b.peer(21, stable, false, 1)
	b.counts(s, 1, timers.Fast.RejoinWithin())
	eventually(t, timers.Fast.NoticeWithin(), "told that it is there already", func() (string, bool) {
		lines := b.logs.find(`"connection failed"`, `"step":"register"`, "two names lead to supernode supernode-1")
		return fmt.Sprint(lines), len(lines) > 1
	})
	// Both may have asked at once, and then the first to get in was dropped for the other.
	if lines := b.logs.find(`"peer dropped"`); len(lines) > 1 || len(p.Snapshot().Supernodes) != 1 {
		t.Errorf("the places fought: %v", lines)
	}
}

// Seen red without the watch over names: the peer stays with the old address.
func TestSupernodeWhoseNameMovedIsFollowed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	old, fresh := b.supernode(1, stable), b.supernode(2, stable)
	b.lead("tracker", 1)
	p := b.peer(21, stable, false)
	b.counts(old, 1, timers.Fast.RejoinWithin())
	b.lead("tracker", 2)
	b.counts(fresh, 1, timers.Fast.ResolveInterval+timers.Fast.RejoinWithin())
	b.counts(old, 0, timers.Fast.RPCTimeout)
	p.heldBy(1)
	if got := p.Snapshot().Supernodes; !slices.Equal(got, []string{"tracker:8002"}) {
		t.Errorf("held by %v", got)
	}
}
