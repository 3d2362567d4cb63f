// Package harness lays beds: running deployments of a system under test whose every
// link leads through a proxy. Bed is the only door for scenarios, and the only thing
// that fails a spec; everything below returns errors.
//
//	bed := harness.Start(ctx, GinkgoTB(), topology.Small())
//	outage := bed.Inject(ctx, fault.BlockPort{Links: fault.Into(bed.Node("peer-1")).Port(65002), How: fault.Dropped})
//	Expect(bed.Download(ctx, bed.Node("peer-2"), fixtures.Layer4M).Wait(ctx)).To(judge.BeIntact(fixtures.Layer4M))
//	outage.Heal(ctx)
package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/toxic"
	"github.com/faultbed/faultbed/harness/workload"
)

// Bed is one running deployment. It owns all that it started or disturbed, and puts
// it away when its test ends.
type Bed struct {
	tb      testing.TB
	session *Session
	topo    topology.Topology
	name    string
	start   time.Time

	site    *site        // nil until there is one
	streams *toxic.Proxy // of the site, once its toxiproxy has started for this bed
	nodes   map[string]*node
	edges   []fault.Edge
	ports   map[fault.Edge]uint16 // listener of each link
	content ledger.Content
	book    *fault.Book

	layout     sync.RWMutex // of topo and of what nodes says of containers, see Replace
	mu         sync.Mutex
	history    history.History
	injections []*Injection
	downloads  []*workload.Download
	probed     map[fault.Edge]int64 // bytes that our own probes moved
	dialled    map[fault.Edge]int64 // connections that they opened
	opened     map[string]bool      // nodes whose gates are open
	zero       ledger.Book          // what had passed when the bed was ready
	mark       ledger.Book          // what had passed since then when the latest download began
	walked     map[string]int       // connections around links from nodes that were replaced
	facts      map[string]agent.Facts
	since      time.Time // of the latest injection, by the wall clock
	unwatch    func() bool
	sampler    *sampler                   // nil until all nodes have started
	killed     map[string]bool            // nodes that a fault has killed and not started again
	dumps      map[string][]byte          // of goroutines, when the scenario had just gone wrong
	captures   map[string][]byte          // of packets, by node
	first      map[string]history.Holding // what nodes held when the bed was ready
	ending     bool                       // it is being put away: what faults still do is no matter
}

// node is one place of the topology and the container that fills it.
type node struct {
	spec      topology.Node
	address   netip.Addr
	after     []topology.Role // whose nodes must listen before its gate opens
	container *cluster.Node   // nil until started
	store     string          // folder of its own disk; empty if it has none
	past      []byte          // the log of what it was before it was replaced
	files     map[string][]byte
}

// proxyName is the proxy's name, its image's and its role.
const proxyName = "toxiproxy"

// firstListener is the lowest port that the proxy listens on for links.
const firstListener = 20000

// current is the session of this process. Ginkgo runs one spec at a time in a process.
var current *Session

// Use makes s the session of all beds that are laid from now on.
func Use(s *Session) { current = s }

// Start lays a bed, lets all nodes through their gates and returns when every
// supernode counts every seed and peer.
func Start(ctx context.Context, tb testing.TB, t topology.Topology) *Bed {
	tb.Helper()
	b := Lay(ctx, tb, t)
	b.Open(ctx)
	b.AwaitReady(ctx)
	return b
}

// Lay starts the containers of a bed and steers their links; all nodes wait at their
// gates. Faults that are injected now are there before the first packet.
func Lay(ctx context.Context, tb testing.TB, t topology.Topology) *Bed {
	tb.Helper()
	s := current
	if s == nil {
		tb.Fatalf("INFRA: no session: run the suite, which opens one")
	}
	b := &Bed{
		tb: tb, session: s, topo: t, name: s.nextBed(), start: time.Now(),
		nodes: map[string]*node{}, ports: map[fault.Edge]uint16{}, content: ledger.Content{},
		probed: map[fault.Edge]int64{}, dialled: map[fault.Edge]int64{}, opened: map[string]bool{}, walked: map[string]int{},
		unwatch: func() bool { return true }, killed: map[string]bool{},
		dumps: map[string][]byte{}, captures: map[string][]byte{},
	}
	b.since, b.history.Started, b.history.Limits = b.start, b.start, b.limits()
	b.book = fault.NewBook(b.name)
	b.note(Laying, false, "")
	tb.Cleanup(b.stop)
	if s.lostBecause() != nil {
		b.infra(errors.New("lay bed: without faultd there is none"))
	}
	// What nobody can disturb any more need not go on either.
	b.unwatch = context.AfterFunc(s.alive, b.endDownloads) //nolint:contextcheck // it is the session that ends them, not the scenario
	if !s.occupy() {
		b.infra(errors.New("lay bed: the scenario has one already, and one history"))
	}
	if err := t.Validate(); err != nil {
		b.infra(fmt.Errorf("lay bed: %w", err))
	}
	b.topo = s.System.Furnish(t)
	ctx, cancel := context.WithTimeout(ctx, BedStart)
	defer cancel()
	ctx, release := s.unlessLost(ctx)
	defer release()
	err := b.lay(ctx)
	if err == nil {
		b.facts, err = b.readFacts(ctx, nil)
	}
	if err != nil {
		b.infra(fmt.Errorf("lay bed: %w", err))
	}
	for _, n := range b.topo.Nodes {
		if err := b.startCapture(ctx, n.Name); err != nil {
			b.infra(fmt.Errorf("lay bed: %w", err))
		}
	}
	b.spend(&b.history.Spent.StartMS, b.start)
	if s.Unsampled {
		return b
	}
	b.sampler = startSampler(b) //nolint:contextcheck // it lives as long as the bed, not as long as Lay
	return b
}

func (b *Bed) lay(ctx context.Context) error {
	given := make([]system.Container, len(b.topo.Nodes))
	for i, n := range b.topo.Nodes {
		var err error
		if given[i], err = b.session.System.Container(b.topo, n); err != nil {
			return err
		}
	}
	site, err := b.session.occupySite(ctx, b.name, len(b.topo.Nodes))
	if err != nil {
		return err
	}
	b.site = site
	for i, n := range b.topo.Nodes {
		b.nodes[n.Name] = &node{spec: n, address: site.nextAddress(), after: given[i].After, files: given[i].Files}
		if n.Disk > 0 {
			b.nodes[n.Name].store = given[i].Store
		}
	}
	b.drawLinks()

	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return b.layLinks(ctx) })
	for i, n := range b.topo.Nodes {
		all.Go(func() error {
			started, err := b.session.Engine.Run(ctx, b.spec(n, given[i]))
			b.nodes[n.Name].container = started
			if err != nil {
				return err
			}
			if err := b.plug(ctx, n.Name); err != nil {
				return err
			}
			return b.steer(ctx, n.Name)
		})
	}
	return all.Wait()
}

// spec is the container of a node. A foreign image gets the gate put in, and its program
// starts behind it.
func (b *Bed) spec(n topology.Node, c system.Container) cluster.Spec {
	const readable, executable = 0o644, 0o755
	s := cluster.Spec{
		Name: b.name + "-" + n.Name, Host: n.Name, Image: c.Image, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env,
		Labels:      b.session.labels(b.name, n.Name, string(n.Role), b.tb.Name()),
		Isolated:    true,
		Descriptors: n.Descriptors, Sysctls: sysctls,
	}
	if n.Disk > 0 && c.Store != "" {
		s.Tmpfs = map[string]int64{c.Store: n.Disk}
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		s.Files = append(s.Files, cluster.File{Path: path, Content: c.Files[path], Mode: readable})
	}
	if c.Foreign {
		const gate = "/faultbed-gate/gate" // kernel.OpenGate knows it by its base name
		s.Files = append(s.Files, cluster.File{Path: gate, Content: b.session.gate, Mode: executable})
		s.Entrypoint = append([]string{gate}, c.Entrypoint...)
	}
	return s
}

// sysctls are those of every container of a bed. Linux tells one destination of at most
// one unreachable port, host or MTU a second, after six (icmp(7)); a fault that answers
// so would fall silent when a few links lead to one client.
var sysctls = map[string]string{"net.ipv4.icmp_ratelimit": "0"}

// layLinks lays all links on the site's toxiproxy.
func (b *Bed) layLinks(ctx context.Context) error {
	if err := b.session.startProxy(ctx, b.site); err != nil {
		return err
	}
	b.streams = b.site.streams
	links := make([]toxic.Link, len(b.edges))
	for i, e := range b.edges {
		links[i] = toxic.Link{
			Name:     e.String(),
			Listen:   fmt.Sprintf("0.0.0.0:%d", b.ports[e]),
			Upstream: b.Destination(e).String(),
		}
	}
	return b.streams.AddLinks(ctx, links)
}

// plug puts a node on the bed's network.
func (b *Bed) plug(ctx context.Context, name string) error {
	address := netip.PrefixFrom(b.nodes[name].address, sitePrefix.Bits())
	return b.session.Agent.Plug(ctx, b.site.name, b.Container(name), name, address)
}

// steer leads all that a node sends to other nodes through its links.
func (b *Bed) steer(ctx context.Context, name string) error {
	s := agent.Steering{Routes: map[netip.AddrPort]netip.AddrPort{}}
	for _, e := range b.edges {
		if e.Client == name {
			s.Routes[b.Destination(e)] = netip.AddrPortFrom(hostAt(proxyHost).Addr(), b.ports[e])
		}
	}
	for other, n := range b.nodes {
		if other != name {
			s.Nodes = append(s.Nodes, n.address)
		}
	}
	if err := b.session.Agent.Steer(ctx, b.Container(name), s); err != nil {
		return fmt.Errorf("steer %s: %w", name, err)
	}
	return nil
}

// restarted tells faults in force that what they did in a node is gone with its process.
func (b *Bed) restarted(name string) {
	b.mu.Lock()
	ending := b.ending
	b.mu.Unlock()
	if !ending {
		b.book.Restarted(name)
	}
}

// Resteer lays the steering of all nodes anew, at once.
func (b *Bed) Resteer(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range b.topo.Nodes {
		all.Go(func() error { return b.steer(ctx, n.Name) })
	}
	return all.Wait()
}

// drawLinks numbers a listener for every client's way to every port of every server.
func (b *Bed) drawLinks() {
	for _, server := range b.topo.Nodes {
		for _, port := range b.session.System.Ports(server.Role) {
			if port.Content {
				b.content[server.Role] = port.Number
			}
			for _, client := range b.topo.Nodes {
				if client.Name == server.Name || client.Role == topology.Origin || port.Clients != nil && !slices.Contains(port.Clients, client.Role) {
					continue
				}
				e := fault.Edge{Client: client.Name, Server: server.Name, Port: port.Number}
				b.ports[e] = uint16(firstListener + len(b.edges)) //nolint:gosec // topology.MaxNodes keeps it below 60,000
				b.edges = append(b.edges, e)
			}
		}
	}
}

// Open lets nodes through their gates, all if none is given: each when those that its
// system wants to listen before it do.
func (b *Bed) Open(ctx context.Context, nodes ...topology.Node) {
	b.tb.Helper()
	if len(nodes) == 0 {
		nodes = b.topo.Nodes
	}
	b.mu.Lock()
	for _, n := range nodes {
		b.opened[n.Name] = true
	}
	if b.history.OpenedMS == nil {
		at := b.now()
		b.history.OpenedMS = &at
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, BedStart)
	defer cancel()
	ctx, release := b.session.unlessLost(ctx)
	defer release()
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		all.Go(func() error {
			for _, before := range b.topo.Of(b.nodes[n.Name].after...) {
				if err := b.awaitListening(ctx, before); err != nil {
					return fmt.Errorf("open the gate of %s: %w", n.Name, err)
				}
			}
			err := b.session.Agent.OpenGate(ctx, b.Container(n.Name))
			if errors.Is(err, agent.ErrNodeGone) {
				return nil // a scenario has killed it: healing opens its gate
			}
			if err != nil {
				return fmt.Errorf("open the gate of %s: %w", n.Name, err)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		b.infra(err)
	}
}

// Bounds are what the system's own timers allow it.
func (b *Bed) Bounds() system.Bounds { return b.session.System.Bounds() }

// Supernodes are the bed's supernodes, in the topology's order, as are all below.
func (b *Bed) Supernodes() []topology.Node { return b.topo.Of(topology.Supernode) }

// Seeds are the bed's seed peers, primary first.
func (b *Bed) Seeds() []topology.Node { return b.topo.Of(topology.Seed) }

// Peers are the bed's normal peers.
func (b *Bed) Peers() []topology.Node { return b.topo.Of(topology.Peer) }

// Of are the bed's nodes of these roles: a system has some that scenarios do not name.
func (b *Bed) Of(roles ...topology.Role) []topology.Node { return b.topo.Of(roles...) }

// Origin is where the files come from.
func (b *Bed) Origin() topology.Node { return b.topo.Of(topology.Origin)[0] }

// Node returns the node of that name; a name that is not there ends the spec.
func (b *Bed) Node(name string) topology.Node {
	b.tb.Helper()
	n, ok := b.topo.Node(name)
	if !ok {
		b.infra(fmt.Errorf("no node %s on this bed: it has %v", name, topology.Names(b.topo.Nodes)))
	}
	return n
}

// Name is what the names of the bed's containers begin with.
func (b *Bed) Name() string { return b.name }

// Where is a node's address on the bed's network, and its container's name.
func (b *Bed) Where(n topology.Node) (netip.Addr, string) {
	return b.nodes[n.Name].address, b.name + "-" + n.Name
}

// now is the bed's clock: milliseconds since it was laid.
func (b *Bed) now() int64 { return time.Since(b.start).Milliseconds() }

// spend adds the time since a moment to one of the sums of b.history.Spent.
func (b *Bed) spend(sum *int64, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*sum += time.Since(since).Milliseconds()
}

// infra ends the spec because machine or harness failed.
func (b *Bed) infra(err error) {
	b.tb.Helper()
	b.trouble(err)
	if lost := b.session.lostBecause(); lost != nil {
		err = lost
	}
	b.tb.Fatalf("%s: %v", history.Infra, err)
}

// History is what happened so far.
func (b *Bed) History() history.History {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.history
	h.Faults, h.Downloads = nil, nil
	for _, i := range b.injections {
		h.Faults = append(h.Faults, i.injection.Record())
	}
	for _, d := range b.downloads {
		h.Downloads = append(h.Downloads, d.Record())
	}
	return h
}

// verdict is what the judge says of the history so far.
func (b *Bed) verdict() (history.Verdict, string) { return judge.Verdict(b.History()) }

// unlessLost returns a context that ends when faultd is gone, too.
func (s *Session) unlessLost(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.alive, func() { cancel(s.lostBecause()) })
	return ctx, func() { stop(); cancel(nil) }
}

// await polls until look returns nil. Its error says what was awaited, for how long,
// and what was seen last.
func await(ctx context.Context, what string, every time.Duration, look func(context.Context) error) error {
	start := time.Now()
	beat := time.NewTicker(every)
	defer beat.Stop()
	var last error
	for {
		once, cancel := context.WithTimeout(ctx, Observation)
		err := look(once)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // not what the end of ctx itself did to the last look
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %.1f s for %s; last seen: %w", time.Since(start).Seconds(), what, last)
		case <-beat.C:
		}
	}
}
