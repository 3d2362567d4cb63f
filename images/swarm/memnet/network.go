// Package memnet is a network in memory: hosts with names, addresses and ports, whose
// connections keep deadlines and fail with the errors of the operating system, and
// whose links can be broken on purpose.
//
// It blocks on channels and timers only, so it works in the bubbles of testing/synctest,
// where minutes pass in no time:
//
//	n := memnet.New()
//	a, b := n.Host("a", "10.0.0.1"), n.Host("b", "10.0.0.2")
//	heal := n.Inject(memnet.Drop{Links: memnet.Around("b")})
//
// It models what a program sees of TCP, not its packets: no retransmission timers (what
// was held back goes on at the moment of healing), no loss short of silence, no
// congestion. A host without time for its calls has no place here.
package memnet

import (
	"slices"
	"sync"
	"time"
)

// Network is a set of hosts and what lies between them.
type Network struct {
	// Latency is the time that bytes take from one host to another; nil is none. Both
	// it and Rate are set before the first connection.
	Latency func(from, to string) time.Duration
	// Rate bounds each direction of each connection, in bytes per second; 0 is no bound.
	Rate int64

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a fault, a host or a listener changes
	hosts   map[string]*Host
	names   map[string][]string
	rules   []*rule
	pairs   map[*pair]struct{}
}

// New makes a network without hosts.
func New() *Network {
	return &Network{
		changed: make(chan struct{}), hosts: map[string]*Host{}, names: map[string][]string{}, pairs: map[*pair]struct{}{},
	}
}

// Host adds a host, and its name to the names that all hosts know.
func (n *Network) Host(name, ip string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &Host{net: n, name: name, ip: ip, listeners: map[string]*listener{}, nextPort: firstEphemeral}
	n.hosts[name] = h
	n.names[name] = []string{ip}
	return h
}

// Name makes a name lead to these addresses; with none it is unknown.
func (n *Network) Name(name string, ips ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = slices.Clone(ips)
}

// Open counts the connections of which at least one end is not closed.
func (n *Network) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pairs)
}

// Inject puts a fault in force; heal takes exactly it away, and may be called twice.
func (n *Network) Inject(f Fault) (heal func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := f.rule()
	n.rules = append(n.rules, r)
	if r.reset {
		for p := range n.pairs {
			if r.covers(p.link) {
				p.reset()
			}
		}
	}
	n.wake()
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.rules = slices.DeleteFunc(n.rules, func(other *rule) bool { return other == r })
		n.wake()
	}
}

// wake lets everything that waits for the network look again. The caller holds mu.
func (n *Network) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
	for p := range n.pairs {
		p.up.pump()
		p.down.pump()
	}
}

// at is the host with that address. The caller holds mu.
func (n *Network) at(ip string) *Host {
	for _, h := range n.hosts {
		if h.ip == ip {
			return h
		}
	}
	return nil
}

// silent says whether nothing gets over a link in one of the given ways. The caller holds mu.
func (n *Network) silent(l Link, w Way) bool {
	for _, name := range []string{l.Client, l.Server} {
		if h := n.hosts[name]; h != nil && h.off {
			return true
		}
	}
	return slices.ContainsFunc(n.rules, func(r *rule) bool { return r.drop&w != 0 && r.covers(l) })
}

func (n *Network) refused(l Link) bool {
	return slices.ContainsFunc(n.rules, func(r *rule) bool { return r.refuse && r.covers(l) })
}

func (n *Network) resets(l Link) bool {
	return slices.ContainsFunc(n.rules, func(r *rule) bool { return r.reset && r.covers(l) })
}

// delay is how long bytes take over a link in one way. The caller holds mu.
func (n *Network) delay(l Link, w Way) time.Duration {
	if l.Client == l.Server {
		return 0
	}
	from, to := l.Client, l.Server
	if w == Down {
		from, to = to, from
	}
	var d time.Duration
	if n.Latency != nil {
		d = n.Latency(from, to)
	}
	for _, r := range n.rules {
		if r.delayWay&w != 0 && r.covers(l) {
			d += r.delay
		}
	}
	return d
}

// rate is the bound of a link in bytes per second, 0 for none. The caller holds mu.
func (n *Network) rate(l Link) int64 {
	if l.Client == l.Server {
		return 0
	}
	rate := n.Rate
	for _, r := range n.rules {
		if r.rate > 0 && r.covers(l) && (rate == 0 || r.rate < rate) {
			rate = r.rate
		}
	}
	return rate
}
