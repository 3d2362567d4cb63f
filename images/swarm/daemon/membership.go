package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/owner"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// membership is the peer's part in the swarm: its places with supernodes, and the tasks
// that it wants, each of which is pursued at the place of its owner.
type membership struct {
	d      *Daemon
	places []*place // in the order of the configuration
	work   sync.WaitGroup

	// mu guards what follows, and all places.
	mu    sync.Mutex
	wants map[string]*pursuit
}

// pursuit is a wanted task with the latest word on it.
type pursuit struct {
	want      *pb.Want
	at        *place // its owner's; nil while there is none
	sent      bool
	direction *pb.Direction
	moved     chan struct{} // one slot: direction changed
}

// newMembership has a place with each supernode; without ownership of tasks only one,
// with the first supernode that takes the peer.
func newMembership(d *Daemon) *membership {
	m := &membership{d: d, wants: map[string]*pursuit{}}
	if !d.can.Ownership {
		m.places = []*place{newPlace(m, d.cfg.Supernodes...)}
		return m
	}
	for _, target := range d.cfg.Supernodes {
		m.places = append(m.places, newPlace(m, target))
	}
	return m
}

// run keeps all places until the daemon stops.
func (m *membership) run() {
	for _, p := range m.places {
		m.work.Go(p.run)
	}
	m.work.Wait()
}

// settleOwners gives each wanted task to its owner among the supernodes that hold this
// peer. The caller holds mu.
func (m *membership) settleOwners() {
	for id, p := range m.wants {
		at := m.ownerOf(id)
		if at == p.at {
			continue
		}
		if p.at != nil {
			p.at.settled = append(p.at.settled, id)
			p.at.ring()
		}
		p.at, p.sent = at, false
		if at != nil {
			m.d.log.Info("task owner", "task", id, "url", p.want.GetUrl(), "supernode", at.name)
			at.ring()
		}
	}
}

// ownerOf is the place of the supernode that owns a task, the first in its order that
// holds this peer, or nil. The caller holds mu.
func (m *membership) ownerOf(task string) *place {
	joined := map[string]*place{}
	var names []string
	for _, p := range m.places {
		if p.conn != nil {
			joined[p.name] = p
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return joined[owner.Order(task, names)[0]]
}

// listed is the union of what the places know of other peers. The caller holds mu.
func (m *membership) listed() []*pb.Host {
	seen := map[string]bool{}
	var hosts []*pb.Host
	for _, p := range m.places {
		for _, h := range p.peers {
			if !seen[h.GetName()] {
				seen[h.GetName()] = true
				hosts = append(hosts, h)
			}
		}
	}
	slices.SortFunc(hosts, func(a, b *pb.Host) int { return strings.Compare(a.GetName(), b.GetName()) })
	return hosts
}

// sessions are those that the peer holds.
func (m *membership) sessions() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var held []string
	for _, p := range m.places {
		if p.conn != nil {
			held = append(held, p.session)
		}
	}
	return held
}

// supernodes are those that hold this peer, as it was told of them, in that order.
func (m *membership) supernodes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := []string{}
	for _, p := range m.places {
		if p.conn != nil {
			held = append(held, p.conn.Target)
		}
	}
	return held
}

// want asks the task's owner for it until settle is called.
func (m *membership) want(t *task) *pursuit {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &pursuit{want: &pb.Want{Task: t.id, Url: t.url, Digest: t.digest}, moved: make(chan struct{}, 1)}
	m.wants[t.id] = p
	m.settleOwners()
	return p
}

func (m *membership) settle(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.wants[id]; p != nil && p.at != nil {
		p.at.settled = append(p.at.settled, id)
	}
	delete(m.wants, id)
	m.hold(id)
}

// direction is the latest word on p, or nil; registered says whether a supernode stands behind it now.
func (m *membership) direction(p *pursuit) (direction *pb.Direction, registered bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return p.direction, p.at != nil
}

// holds notes that more of a task is held. All supernodes are told, so that the next
// owner already knows it when the present one goes.
func (m *membership) holds(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold(id)
}

func (m *membership) hold(id string) {
	for _, p := range m.places {
		p.unsent[id] = true
		p.ring()
	}
}

// report tells the task's owner how a parent did.
func (m *membership) report(parent, task string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.wants[task]
	if p == nil || p.at == nil {
		return
	}
	if len(p.at.transfers) < maxUnsentReports {
		p.at.transfers = append(p.at.transfers, &pb.Transfer{Parent: parent, Task: task, Ok: err == nil, Cause: string(cause.Of(err))})
	}
	p.at.ring()
}

// maxUnsentReports bounds what waits to be told.
const maxUnsentReports = 256

// leave says goodbye to the supernodes that hold this peer.
func (m *membership) leave(ctx context.Context) {
	var goodbyes sync.WaitGroup
	m.mu.Lock()
	for _, p := range m.places {
		if conn, session := p.conn, p.session; conn != nil {
			goodbyes.Go(func() { p.goodbye(ctx, conn, session) })
		}
	}
	m.mu.Unlock()
	goodbyes.Wait()
}
