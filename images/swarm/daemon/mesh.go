package daemon

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// maxLinks is how many other peers a peer stays connected with.
const maxLinks = 32

// mesh is the peer's connections to the other active peers.
type mesh struct {
	d    *Daemon
	work sync.WaitGroup

	mu     sync.Mutex
	links  map[string]*link
	former map[string]*pb.Host // seeds that are no longer named: who looks for a fault must know of them
	closed bool
}

type link struct {
	host   *pb.Host
	cancel context.CancelFunc
	alive  bool
	trips  trips
}

func newMesh(d *Daemon) *mesh {
	return &mesh{d: d, links: map[string]*link{}, former: map[string]*pb.Host{}}
}

// update keeps links to hosts, and to nobody else.
func (m *mesh) update(hosts []*pb.Host) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	hosts = hosts[:min(len(hosts), maxLinks)]
	for name, l := range m.links {
		if !slices.ContainsFunc(hosts, func(h *pb.Host) bool { return h.GetName() == name && grpcAddr(h) == grpcAddr(l.host) }) {
			l.cancel()
			delete(m.links, name)
			if l.host.GetSeed() {
				m.former[name] = l.host
			}
		}
	}
	for _, h := range hosts {
		delete(m.former, h.GetName())
		if m.links[h.GetName()] != nil || h.GetName() == m.d.host.GetName() {
			continue
		}
		ctx, cancel := context.WithCancel(m.d.ctx)
		l := &link{host: h, cancel: cancel}
		m.links[h.GetName()] = l
		m.work.Go(func() { m.keep(ctx, l) })
	}
}

// keep calls one peer again and again; after a failure with a new connection.
func (m *mesh) keep(ctx context.Context, l *link) {
	target := grpcAddr(l.host)
	var conn *wire.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	wait := newBackoff(m.d.cfg.Profile)
	for attempt := 1; ; attempt++ {
		var err error
		open, began := conn != nil, time.Now()
		if conn == nil {
			conn, err = m.d.network.Dial(target)
		}
		if err == nil {
			err = check(ctx, conn, m.d.cfg.Profile.CheckTimeout)
		}
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		l.alive = err == nil
		if err == nil && open {
			l.trips.add(time.Since(began))
		}
		m.mu.Unlock()
		pause := m.d.cfg.Profile.CheckInterval
		if err == nil {
			attempt = 0
			wait.Reset()
		} else {
			ip := l.host.GetIp()
			m.d.reporter.Failed(diag.List, target, ip, attempt, err)
			if conn != nil {
				_ = conn.Close()
				conn = nil
			}
			pause = wait.NextBackOff()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func check(ctx context.Context, conn *wire.Conn, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return conn.Check(ctx)
}

// names lists the peers that answer, sorted.
func (m *mesh) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := []string{}
	for name, l := range m.links {
		if l.alive {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *mesh) close() {
	m.mu.Lock()
	m.closed = true
	for _, l := range m.links {
		l.cancel()
	}
	m.mu.Unlock()
	m.work.Wait()
}

func grpcAddr(h *pb.Host) string {
	return net.JoinHostPort(h.GetIp(), strconv.Itoa(int(h.GetGrpcPort())))
}

func pieceAddr(h *pb.Host) string {
	return net.JoinHostPort(h.GetIp(), strconv.Itoa(int(h.GetPiecePort())))
}
