package virtual_test

import (
	"testing"
	"time"

	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/virtual"
)

// An announce stream that nobody has closed, and nothing comes through, is noticed by
// both of its ends within the bound that has that name. The supernode's own calls go
// on: nothing but silence tells either of them. Seen red with a lease three times as long at
// either end; at the peer's with the fast timers only: gRPC's keepalive comes before three
// leases of the others.
func TestHalfOpenStreamIsNoticedAtBothEnds(t *testing.T) {
	t.Parallel()
	for _, profile := range []timers.Profile{timers.Fast, timers.Production} {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			virtual.Run(t, profile, func(b *virtual.Bed) {
				s := b.Supernode(virtual.Node{Name: "supernode"})
				p := b.Peer(virtual.Node{Name: "peer"})
				s.Counts(1, b.Timers.RejoinWithin())
				b.Pass(b.Timers.Heartbeat * 5 / 2)
				b.Net.Inject(memnet.Drop{Links: memnet.To("supernode", virtual.SupernodePort)})
				began := time.Now()
				s.Counts(0, b.Timers.HalfOpenWithin())
				b.Until("the peer is out", b.Timers.HalfOpenWithin()-time.Since(began), func() (any, bool) {
					status := p.Snapshot()
					return status, !status.Registered
				})
			})
		})
	}
}
