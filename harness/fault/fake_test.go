package fault_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/toxic"
)

var errInjected = errors.New("injected")

// world is a bed without containers: rules, toxics, limits and processes are entries
// in maps, and a look (look_test.go) computes from them what a probe would see.
type world struct {
	mu      sync.Mutex
	topo    topology.Topology
	edges   []fault.Edge
	rules   map[string][]agent.Rule
	caught  map[string]map[int]*agent.Count
	rates   map[string][]agent.Rate
	flows   map[string]map[int]uint64 // owner, rate: bytes
	spoofs  map[string]spoof
	asked   map[string]uint64
	hogs    map[string]hog
	filled  map[string]fill
	toxics  map[string]map[string]toxic.Toxic // link -> name
	paused  map[string]bool
	killed  map[string]bool
	since   map[string]int
	limits  map[string]fault.Limits
	mtu     map[string]int
	learned map[string]int // path MTU by sender
	nofile  map[string]uint64
	offload map[string]bool // by owner
	lacks   map[string]string

	deaf     string // rules in this namespace have no effect
	passing  int    // samples of descriptors in which one more is open, in passing
	immortal bool   // kill does nothing
	fails    func(what string) bool
	blind    error // what a failing call says, if not errInjected
}

type (
	spoof struct {
		nodes []string
		agent.Spoof
	}
	hog struct {
		on          string
		connections int
	}
	fill struct {
		node  string
		spare uint64
	}
)

const (
	openFiles = 20
	diskSize  = 64 << 20
	noLimit   = 1 << 40 // what a control group without a memory limit says
)

func newWorld() *world {
	w := &world{
		topo: topology.Small(), rules: map[string][]agent.Rule{}, caught: map[string]map[int]*agent.Count{},
		rates: map[string][]agent.Rate{}, flows: map[string]map[int]uint64{}, spoofs: map[string]spoof{}, asked: map[string]uint64{},
		hogs: map[string]hog{}, filled: map[string]fill{}, toxics: map[string]map[string]toxic.Toxic{},
		paused: map[string]bool{}, killed: map[string]bool{}, since: map[string]int{}, limits: map[string]fault.Limits{},
		mtu: map[string]int{}, learned: map[string]int{}, nofile: map[string]uint64{}, offload: map[string]bool{}, lacks: map[string]string{},
		fails: func(string) bool { return false },
	}
	for _, server := range w.topo.Nodes {
		ports := []int{65000, 65001, 65002}
		switch server.Role {
		case topology.Supernode:
			ports = []int{8002}
		case topology.Origin:
			ports = []int{80}
		}
		for _, client := range w.topo.Nodes {
			for _, port := range ports {
				if client.Name != server.Name && client.Role != topology.Origin {
					w.edges = append(w.edges, fault.Edge{Client: client.Name, Server: server.Name, Port: port})
				}
			}
		}
	}
	return w
}

func (w *world) node(name string) topology.Node { n, _ := w.topo.Node(name); return n }

// residue reports what is in force.
func (w *world) residue() []string {
	var left []string
	note := func(format string, args ...any) { left = append(left, fmt.Sprintf(format, args...)) }
	for owner := range w.rules {
		note("rules of %s", owner)
	}
	for owner := range w.rates {
		note("rates of %s", owner)
	}
	for owner := range w.spoofs {
		note("names of %s", owner)
	}
	for owner := range w.hogs {
		note("connections of %s", owner)
	}
	for owner := range w.filled {
		note("file of %s", owner)
	}
	for owner := range w.offload {
		note("offloads off for %s", owner)
	}
	for link, toxics := range w.toxics {
		for name := range toxics {
			note("toxic %s on %s", name, link)
		}
	}
	for what, states := range map[string]map[string]bool{"paused": w.paused, "dead": w.killed} {
		for name, on := range states {
			if on {
				note("%s is %s", name, what)
			}
		}
	}
	for name, l := range w.limits {
		if l.CPUs > 0 || l.MemoryBytes > 0 {
			note("%s is limited to %+v", name, l)
		}
	}
	for name, mtu := range w.mtu {
		if mtu != 1500 {
			note("mtu of %s is %d", name, mtu)
		}
	}
	for name, mtu := range w.learned {
		note("%s has learned of %d bytes", name, mtu)
	}
	for name, n := range w.nofile {
		if n != 1024 {
			note("nofile of %s is %d", name, n)
		}
	}
	return left
}

func (w *world) Edges() []fault.Edge { return w.edges }
func (w *world) Listener(e fault.Edge) (string, uint16) {
	return "proxy", uint16(20000 + slices.Index(w.edges, e))
}

func (w *world) Address(node string) netip.Addr {
	host := slices.IndexFunc(w.topo.Nodes, func(n topology.Node) bool { return n.Name == node })
	return netip.AddrFrom4([4]byte{10, 0, 0, byte(host + 10)})
}

func (w *world) Destination(e fault.Edge) netip.AddrPort {
	return netip.AddrPortFrom(w.Address(e.Server), uint16(e.Port))
}

func (w *world) Speaks(e fault.Edge) fault.Speech {
	if e.Port == 65000 || e.Port == 8002 {
		return fault.Speech{Protocol: "grpc", Bulk: true}
	}
	return fault.Speech{Protocol: "http", Bulk: e.Port != 65001}
}

func (w *world) Store(node string) (string, bool) {
	role := w.node(node).Role
	return "/store", role == topology.Peer || role == topology.Seed
}
func (w *world) Lacks(capability string) string { return w.lacks[capability] }
func (w *world) Container(node string) string   { return node }
func (w *world) Kernel() fault.Kernel           { return w }
func (w *world) Streams() fault.Streams         { return w }
func (w *world) Processes() fault.Processes     { return w }

// try fails a call if its time has come. The caller holds mu.
func (w *world) try(what string) error {
	if w.fails(what) {
		return fmt.Errorf("%s: %w", what, cmp.Or(w.blind, errInjected))
	}
	return nil
}

// change does something under the lock, unless it fails.
func (w *world) change(what string, do func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try(what); err != nil {
		return err
	}
	do()
	return nil
}

func (w *world) Look(_ context.Context, looks []fault.Look) (readings []history.Reading, err error) {
	err = w.change("look", func() {
		for _, l := range looks {
			readings = append(readings, w.look(l))
		}
	})
	return readings, err
}

func (w *world) AddRules(_ context.Context, owner string, rules []agent.Rule) error {
	if w.rules[owner] != nil {
		return agent.ErrExists
	}
	for _, rule := range rules {
		if w.killed[rule.Node] {
			return agent.ErrNodeGone
		}
	}
	return w.change("add rules", func() { w.rules[owner] = rules })
}

func (w *world) RemoveRules(_ context.Context, owner string) error {
	return w.change("remove rules", func() { delete(w.rules, owner); delete(w.caught, owner) })
}

func (w *world) Counters(_ context.Context, owner string) (counts []agent.Count, err error) {
	err = w.change("counters", func() {
		for _, c := range w.caught[owner] {
			counts = append(counts, *c)
		}
	})
	return counts, err
}

// Offload is half done also when it fails.
func (w *world) Offload(_ context.Context, owner string, _ []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offload[owner] = true
	return w.try("offload")
}

func (w *world) RestoreOffload(_ context.Context, owner string) error {
	return w.change("restore offload", func() { delete(w.offload, owner) })
}

func (w *world) ForgetPaths(_ context.Context, nodes []string) error {
	return w.change("forget paths", func() {
		for _, n := range nodes {
			maps.DeleteFunc(w.learned, func(sender string, _ int) bool { return strings.HasPrefix(sender, n) })
		}
	})
}

func (w *world) SetMTU(_ context.Context, node string, mtu int) (previous int, err error) {
	err = w.change("set mtu", func() {
		if previous = w.mtu[node]; previous == 0 {
			previous = 1500
		}
		w.mtu[node] = mtu
	})
	return previous, err
}

func (w *world) Facts(_ context.Context, node string) (facts agent.Facts, err error) {
	err = w.change("facts", func() {
		if facts.MTU = w.mtu[node]; facts.MTU == 0 {
			facts.MTU = 1500
		}
	})
	return facts, err
}

func (w *world) Shape(_ context.Context, owner string, rates []agent.Rate) error {
	return w.change("shape", func() { w.rates[owner], w.flows[owner] = rates, map[int]uint64{} })
}

func (w *world) Unshape(_ context.Context, owner string) error {
	return w.change("unshape", func() { delete(w.rates, owner); delete(w.flows, owner) })
}

func (w *world) Shaped(_ context.Context, owner string) (flows []agent.Flow, err error) {
	err = w.change("shaped", func() {
		for rate, bytes := range w.flows[owner] {
			flows = append(flows, agent.Flow{Rate: rate, Bytes: bytes})
		}
	})
	return flows, err
}

func (w *world) SpoofNames(_ context.Context, owner string, nodes []string, s agent.Spoof) error {
	return w.change("spoof names", func() { w.spoofs[owner] = spoof{nodes, s} })
}

func (w *world) RestoreNames(_ context.Context, owner string) error {
	return w.change("restore names", func() { delete(w.spoofs, owner); delete(w.asked, owner) })
}

func (w *world) Asked(_ context.Context, owner string) (n uint64, err error) {
	err = w.change("asked", func() { n = w.asked[owner] })
	return n, err
}

func (w *world) Hog(_ context.Context, owner, _ string, target netip.AddrPort, connections int) error {
	return w.change("hog", func() {
		for _, n := range w.topo.Nodes {
			if w.Address(n.Name) == target.Addr() {
				w.hogs[owner] = hog{n.Name, connections}
			}
		}
	})
}

func (w *world) Unhog(_ context.Context, owner string) error {
	return w.change("unhog", func() { delete(w.hogs, owner) })
}

func (w *world) Hogged(_ context.Context, owner string) (n int, err error) {
	err = w.change("hogged", func() { n = w.hogs[owner].connections })
	return n, err
}

func (w *world) Fill(_ context.Context, owner, node, _ string, spare uint64) error {
	return w.change("fill", func() { w.filled[owner] = fill{node, spare} })
}

func (w *world) Unfill(_ context.Context, owner string) error {
	return w.change("unfill", func() { delete(w.filled, owner) })
}

func (w *world) Disk(_ context.Context, node, _ string) (size, free uint64, err error) {
	err = w.change("disk", func() {
		free = diskSize
		for _, f := range w.filled {
			if f.node == node {
				free = f.spare
			}
		}
	})
	return diskSize, free, err
}

func (w *world) Descriptors(_ context.Context, node string) (d agent.Descriptors, err error) {
	err = w.change("descriptors", func() {
		d = agent.Descriptors{Soft: w.nofile[node], Hard: 4096, Open: openFiles}
		if d.Soft == 0 {
			d.Soft = 1024
		}
		for n := range uint64(openFiles) {
			d.Numbers = append(d.Numbers, n)
		}
		if w.passing > 0 {
			w.passing--
			d.Numbers = append(d.Numbers, openFiles)
		}
		for _, h := range w.hogs {
			if h.on == node {
				d.Open += uint64(h.connections)
			}
		}
	})
	return d, err
}

func (w *world) LimitDescriptors(_ context.Context, node string, soft uint64) (previous uint64, err error) {
	err = w.change("limit descriptors", func() {
		if previous = w.nofile[node]; previous == 0 {
			previous = 1024
		}
		w.nofile[node] = soft
	})
	return previous, err
}

func (w *world) Add(_ context.Context, link, name string, t toxic.Toxic) error {
	return w.change("add toxic", func() {
		if w.toxics[link] == nil {
			w.toxics[link] = map[string]toxic.Toxic{}
		}
		w.toxics[link][name] = t
	})
}

func (w *world) Remove(_ context.Context, link, name string) error {
	return w.change("remove toxic", func() { delete(w.toxics[link], name) })
}

func (w *world) Pause(_ context.Context, node string) error {
	return w.change("pause", func() { w.paused[node] = true })
}

func (w *world) Unpause(_ context.Context, node string) error {
	return w.change("unpause", func() { w.paused[node] = false })
}

func (w *world) Kill(_ context.Context, node string) error {
	return w.change("kill", func() {
		if w.killed[node] = !w.immortal; w.killed[node] {
			w.bury(node)
		}
	})
}

// bury loses what goes with a process, its namespace and its tmpfs.
func (w *world) bury(node string) {
	delete(w.mtu, node)
	delete(w.nofile, node)
	maps.DeleteFunc(w.filled, func(_ string, f fill) bool { return f.node == node })
}

func (w *world) Stop(_ context.Context, node string) error {
	return w.change("stop", func() { w.killed[node] = true; w.bury(node) })
}

func (w *world) Start(_ context.Context, node string) error {
	return w.change("start", func() { w.killed[node] = false; w.since[node]++ })
}

func (w *world) Runs(_ context.Context, node string) (runs bool, err error) {
	err = w.change("runs", func() { runs = !w.killed[node] && !w.paused[node] })
	return runs, err
}

func (w *world) Since(_ context.Context, node string) (at time.Time, err error) {
	err = w.change("since", func() { at = time.Unix(int64(1000+w.since[node]), 0) })
	return at, err
}

func (w *world) Limit(_ context.Context, node string, l fault.Limits) (previous fault.Limits, err error) {
	err = w.change("limit", func() {
		now := w.limits[node]
		if l.CPUs != 0 {
			previous.CPUs = max(now.CPUs, 0)
			if previous.CPUs == 0 {
				previous.CPUs = -1
			}
			now.CPUs = l.CPUs
		}
		if l.MemoryBytes != 0 {
			previous.MemoryBytes = now.MemoryBytes
			if previous.MemoryBytes <= 0 {
				previous.MemoryBytes = -1
			}
			now.MemoryBytes = l.MemoryBytes
		}
		w.limits[node] = now
	})
	return previous, err
}

func (w *world) Limits(_ context.Context, node string) (l fault.Limits, err error) {
	err = w.change("limits", func() { l = w.limits[node] })
	return l, err
}

func (w *world) Usage(_ context.Context, node string) (u fault.Usage, err error) {
	err = w.change("usage", func() {
		u.MemoryLimit = noLimit
		if l := w.limits[node]; l.MemoryBytes > 0 {
			u.MemoryLimit = uint64(l.MemoryBytes)
		}
		if w.limits[node].CPUs > 0 {
			u.Throttled = uint64(time.Now().UnixMilli())
		}
	})
	return u, err
}
