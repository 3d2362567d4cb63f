//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"sync"
)

// mostHogged leaves a namespace 8232 of its usual 28232 ports for its own connections to
// the same server.
const mostHogged = 20_000

// Hogs knows who holds idle connections out of which node. The zero value is empty.
type Hogs struct {
	mu   sync.Mutex
	hogs map[string]*hog
}

// Add holds that many idle TCP connections from inside the namespace to the target,
// steered like the node's own, until Remove or until the namespace is gone. It returns
// when each has been tried once, or after 30 s; how many are open then is the server's
// affair. Those that are refused, time out or are closed are opened again after a pause:
// a hog takes every place that becomes free.
func (h *Hogs) Add(owner string, n *Namespace, target netip.AddrPort, connections int) error {
	if err := checkOwner(owner); err != nil {
		return err
	}
	if !isEndpoint(target) {
		return invalid("hog %s: want an IPv4 address with a port", target)
	}
	if connections < 1 || connections > mostHogged {
		return invalid("%d connections to %s: want 1 to %d", connections, target, mostHogged)
	}
	added := newHog(n, target, connections)
	if !h.enter(owner, added) {
		return fmt.Errorf("hog: owner %q: %w", owner, ErrOwnerExists)
	}
	go added.run()
	select {
	case <-added.tried:
		return nil
	case <-added.ended:
		h.leave(owner, added)
		if added.err == nil {
			return fmt.Errorf("node %s: hog %s: removed before all was tried", n.name, target)
		}
		return added.err
	}
}

// Remove closes all connections of the owner, and returns when they are. Twice is
// harmless, and so is a namespace that is gone.
func (h *Hogs) Remove(owner string) {
	h.mu.Lock()
	held := h.hogs[owner]
	h.mu.Unlock()
	if held == nil {
		return
	}
	held.end()
	<-held.ended
	h.leave(owner, held)
}

// Open says how many of the owner's connections are open now. That a hog has ended by
// itself is an error, ErrGone if its namespace has; no hog has none open.
func (h *Hogs) Open(owner string) (int, error) {
	h.mu.Lock()
	held := h.hogs[owner]
	h.mu.Unlock()
	if held == nil {
		return 0, nil
	}
	select {
	case <-held.ended:
		return 0, held.err
	default:
		return int(held.open.Load()), nil
	}
}

func (h *Hogs) enter(owner string, added *hog) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hogs == nil {
		h.hogs = map[string]*hog{}
	}
	if h.hogs[owner] != nil {
		return false
	}
	h.hogs[owner] = added
	return true
}

func (h *Hogs) leave(owner string, held *hog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hogs[owner] == held {
		delete(h.hogs, owner)
	}
}
