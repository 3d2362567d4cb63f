package virtual_test

import (
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/virtual"
)

// An outage of ten minutes under the timers of a deployment, in far less than a second.
func TestAnOutageOfMinutesTakesNoTime(t *testing.T) {
	t.Parallel()
	virtual.Run(t, timers.Production, func(b *virtual.Bed) {
		s := b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed"}})
		b.Peer(virtual.Node{Name: "seed", Seed: true})
		p, q := b.Peer(virtual.Node{Name: "peer-1"}), b.Peer(virtual.Node{Name: "peer-2"})
		s.Counts(3, b.Timers.RejoinWithin())
		if r := p.MustGet(fixtures.Layer1M); r.From.Seeds != fixtures.Layer1M.Size || r.Mode != "daemon" {
			t.Errorf("not from the seed: %+v", r)
		}
		heal := b.Net.Inject(memnet.Drop{Links: memnet.Around("supernode")})
		b.Pass(10 * time.Minute)
		s.Counts(0, 0)
		if got := q.Snapshot(); got.Registered || got.PeerCount != 0 {
			t.Errorf("without a supernode: %+v", got)
		}
		q.MustGet(fixtures.Manifest)
		heal()
		s.Counts(3, b.Timers.RejoinWithin())
		if r := q.MustGet(fixtures.Layer1M); r.From.Origin != 0 {
			t.Errorf("after the outage: %+v", r)
		}
	})
}
