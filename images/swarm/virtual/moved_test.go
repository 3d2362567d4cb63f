package virtual_test

import (
	"testing"

	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/virtual"
)

// A peer that comes back at another address before it was missed takes its own place: the
// others are as many as before, and are told all the same. Seen red with lists that are
// sent again only when their length changes.
func TestOthersAreToldWhereAPeerIsThatMoved(t *testing.T) {
	t.Parallel()
	virtual.Run(t, timers.Fast, func(b *virtual.Bed) {
		s := b.Supernode(virtual.Node{Name: "supernode"})
		one := b.Peer(virtual.Node{Name: "one"})
		there := b.Peer(virtual.Node{Name: "mover"})
		s.Counts(2, b.Timers.RejoinWithin())
		elsewhere := b.Machine("elsewhere")
		there.Die()
		b.Peer(virtual.Node{Name: "mover", On: elsewhere})
		b.Until("the way to it is known", b.Timers.NoticeWithin(), func() (any, bool) {
			hosts := one.Snapshot().Hosts
			return hosts, len(hosts) == 1 && hosts[0].IP == elsewhere.IP() && hosts[0].Answers
		})
	})
}
