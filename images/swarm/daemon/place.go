package daemon

import (
	"net"
	"time"

	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// place is the peer's registration with one supernode: what is still to be announced
// there, and what was heard. All but its first fields are guarded by membership.mu.
type place struct {
	d       *Daemon
	m       *membership
	targets []string      // the first that takes the peer holds it
	news    chan struct{} // one slot: something is to be announced

	conn      *wire.Conn // nil while not registered
	session   string
	name      string // the supernode's own
	joins     int
	announced time.Time // the latest announcement of this session
	peers     []*pb.Host
	forget    *time.Timer
	unsent    map[string]bool // tasks whose pieces changed
	settled   []string
	transfers []*pb.Transfer
	tripsTold time.Time
}

func newPlace(m *membership, targets ...string) *place {
	return &place{d: m.d, m: m, targets: targets, news: make(chan struct{}, 1), unsent: map[string]bool{}}
}

func (p *place) ring() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// enter notes a registration.
func (p *place) enter(conn *wire.Conn, reply *pb.RegisterReply) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.conn, p.session, p.name = conn, reply.GetSession(), reply.GetName()
	if p.name == "" { // a release that does not tell: all peers know it by the same host name, it is hoped
		p.name, _, _ = net.SplitHostPort(conn.Target)
	}
	p.joins++
	if p.forget != nil {
		p.forget.Stop()
	}
	p.peers, p.settled, p.transfers, p.tripsTold = reply.GetPeers(), nil, nil, time.Time{}
	p.d.mesh.update(p.m.listed())
	p.m.settleOwners()
}

// lose notes the loss of the supernode. What it said about peers holds for a lease.
func (p *place) lose() {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.conn, p.session, p.announced = nil, "", time.Time{}
	joins := p.joins
	p.forget = time.AfterFunc(p.d.cfg.Profile.Lease, func() {
		p.m.mu.Lock()
		defer p.m.mu.Unlock()
		if p.conn == nil && p.joins == joins {
			p.peers = nil
			p.d.mesh.update(p.m.listed())
		}
	})
	p.m.settleOwners()
}

func (p *place) everJoined() bool {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	return p.joins > 0
}

// resend makes the next announcement state everything, for a new session.
func (p *place) resend() {
	tasks := p.d.allTasks()
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	for _, w := range p.m.wants {
		if w.at == p {
			w.sent = false
		}
	}
	for _, t := range tasks {
		p.unsent[t.id] = true
	}
}

// compose builds the next announcement.
func (p *place) compose(session string) *pb.Announcement {
	p.m.mu.Lock()
	up := &pb.Announcement{
		Name: p.d.host.GetName(), Session: session,
		FreeSlots: max(0, uploadSlots-p.d.uploads.Load()), Settled: p.settled, Transfers: p.transfers,
	}
	p.settled, p.transfers, p.announced = nil, nil, time.Now()
	up.RoundTrips, p.tripsTold = p.d.mesh.roundTrips(p.tripsTold), p.announced
	for _, w := range p.m.wants {
		if w.at == p && !w.sent {
			w.sent = true
			up.Wants = append(up.Wants, w.want)
		}
	}
	changed := p.unsent
	p.unsent = map[string]bool{}
	p.m.mu.Unlock()
	for _, t := range p.d.allTasks() {
		if changed[t.id] {
			delete(changed, t.id)
			v := t.view()
			up.Held = append(up.Held, &pb.Held{Task: v.meta, Pieces: v.held, Dropped: v.count == 0})
		}
	}
	for id := range changed { // it is not here any more
		up.Held = append(up.Held, &pb.Held{Task: &pb.Task{Id: id}, Dropped: true})
	}
	return up
}

// take follows what the supernode said.
func (p *place) take(down *pb.Guidance) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if down.GetPeersChanged() {
		p.peers = down.GetPeers()
		p.d.mesh.update(p.m.listed())
	}
	for _, direction := range down.GetDirections() {
		w := p.m.wants[direction.GetTask().GetId()]
		if w == nil || w.at != p {
			continue // it is another's by now
		}
		w.direction = direction
		select {
		case w.moved <- struct{}{}:
		default:
		}
	}
}
