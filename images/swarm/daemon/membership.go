package daemon

import (
	"sync"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// membership is the peer's place in the swarm: which supernode holds it, what is
// still to be announced there, and what that supernode said about wanted tasks.
type membership struct {
	d    *Daemon
	news chan struct{} // one slot: something is to be announced

	mu        sync.Mutex
	conn      *wire.Conn // nil while not registered
	session   string
	joins     int
	forget    *time.Timer
	wants     map[string]*pursuit
	unsent    map[string]bool // tasks whose pieces changed
	settled   []string
	transfers []*pb.Transfer
}

// pursuit is a wanted task with the latest word on it.
type pursuit struct {
	want      *pb.Want
	sent      bool
	direction *pb.Direction
	moved     chan struct{} // one slot: direction changed
}

func newMembership(d *Daemon) *membership {
	return &membership{d: d, news: make(chan struct{}, 1), wants: map[string]*pursuit{}, unsent: map[string]bool{}}
}

func (m *membership) ring() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// enter notes a registration.
func (m *membership) enter(conn *wire.Conn, reply *pb.RegisterReply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn, m.session = conn, reply.GetSession()
	m.joins++
	if m.forget != nil {
		m.forget.Stop()
	}
	m.d.mesh.update(reply.GetPeers())
}

// lose notes the loss of the supernode. What it said about peers holds for a lease.
func (m *membership) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn, m.session = nil, ""
	joins := m.joins
	m.forget = time.AfterFunc(m.d.cfg.Profile.Lease, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.conn == nil && m.joins == joins {
			m.d.mesh.update(nil)
		}
	})
}

func (m *membership) everJoined() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.joins > 0
}

// supernode is the one that holds this peer, or "".
func (m *membership) supernode() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return ""
	}
	return m.conn.Target
}

// resend makes the next announcement state everything, for a new session.
func (m *membership) resend() {
	tasks := m.d.allTasks()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.wants {
		p.sent = false
	}
	for _, t := range tasks {
		m.unsent[t.id] = true
	}
}

// compose builds the next announcement.
func (m *membership) compose(session string) *pb.Announcement {
	m.mu.Lock()
	up := &pb.Announcement{
		Name: m.d.host.GetName(), Session: session,
		FreeSlots: max(0, uploadSlots-m.d.uploads.Load()), Settled: m.settled, Transfers: m.transfers,
	}
	m.settled, m.transfers = nil, nil
	for _, p := range m.wants {
		if !p.sent {
			p.sent = true
			up.Wants = append(up.Wants, p.want)
		}
	}
	changed := m.unsent
	m.unsent = map[string]bool{}
	m.mu.Unlock()
	for _, t := range m.d.allTasks() {
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
func (m *membership) take(down *pb.Guidance) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if down.GetPeersChanged() {
		m.d.mesh.update(down.GetPeers())
	}
	for _, direction := range down.GetDirections() {
		p := m.wants[direction.GetTask().GetId()]
		if p == nil {
			continue
		}
		p.direction = direction
		select {
		case p.moved <- struct{}{}:
		default:
		}
	}
}

// want asks the supernode for a task until settle is called.
func (m *membership) want(t *task) *pursuit {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &pursuit{want: &pb.Want{Task: t.id, Url: t.url, Digest: t.digest}, moved: make(chan struct{}, 1)}
	m.wants[t.id] = p
	m.ring()
	return p
}

func (m *membership) settle(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.wants, id)
	m.settled = append(m.settled, id)
	m.unsent[id] = true
	m.ring()
}

// direction is the latest word on p, or nil; registered says whether a supernode stands behind it now.
func (m *membership) direction(p *pursuit) (direction *pb.Direction, registered bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return p.direction, m.conn != nil
}

// holds notes that more of a task is held.
func (m *membership) holds(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unsent[id] = true
	m.ring()
}

// report tells the supernode how a parent did.
func (m *membership) report(parent, task string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.transfers) < maxUnsentReports {
		m.transfers = append(m.transfers, &pb.Transfer{Parent: parent, Task: task, Ok: err == nil, Cause: string(cause.Of(err))})
	}
	m.ring()
}

// maxUnsentReports bounds what a peer without a supernode remembers to tell.
const maxUnsentReports = 256
