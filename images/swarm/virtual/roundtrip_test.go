package virtual_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/virtual"
)

// Of five equal parents a child is told of four. The one that is left out is the one to
// which its own calls take long, whichever that is: its piece port need not even answer.
// Seen red without the term for round trips, for each of these.
func TestChildStaysAwayFromAFarParent(t *testing.T) {
	t.Parallel()
	for far := range 2 {
		t.Run(fmt.Sprint(far), func(t *testing.T) {
			t.Parallel()
			virtual.Run(t, timers.Production, func(b *virtual.Bed) {
				s := b.Supernode(virtual.Node{Name: "supernode"})
				child := b.Peer(virtual.Node{Name: "child"})
				for i := range 5 {
					b.Peer(virtual.Node{Name: fmt.Sprintf("parent-%d", i)}).MustGet(fixtures.Layer4M)
				}
				s.Counts(6, b.Timers.RejoinWithin())
				slow := fmt.Sprintf("parent-%d", far)
				b.Net.Inject(memnet.Delay{Links: memnet.Between("child", slow), By: 100 * time.Millisecond})
				// Slow enough for each parent that the child is told of to be asked.
				b.Net.Inject(memnet.Slow{Links: memnet.To("", virtual.PiecePort), Rate: 256 << 10})
				b.Pass(10 * b.Timers.CheckInterval)
				b.Net.Inject(memnet.Refuse{Links: []memnet.Link{{Client: "child", Server: slow, Port: virtual.PiecePort}}})
				if r := child.MustGet(fixtures.Layer4M); r.From.Peers != fixtures.Layer4M.Size {
					t.Errorf("%+v", r)
				}
				for _, d := range b.Decisions() {
					if d.Node == "child" && strings.HasPrefix(d.What, "piece failed") {
						t.Error(d)
					}
				}
			})
		})
	}
}
