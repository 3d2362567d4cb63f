package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/toxic"
)

var errInjected = errors.New("injected")

// world is a bed without containers: rules, toxics, limits and processes are entries
// in maps, and a look computes from them what a probe would see.
type world struct {
	mu       sync.Mutex
	topo     topology.Topology
	edges    []fault.Edge
	rules    map[string][]agent.Rule
	caught   map[string]map[int]uint64
	toxics   map[string]map[string]toxic.Toxic // link -> name
	paused   map[string]bool
	killed   map[string]bool
	mtu      map[string]int
	nofile   map[string]uint64
	offload  map[string]bool // by owner
	leaky    bool            // every fault also hits all other links
	deaf     string          // rules in this namespace have no effect
	passing  int             // samples of descriptors in which one more is open, in passing
	immortal bool            // kill does nothing
	fails    func(what string) bool
}

const openFiles = 20

func newWorld() *world {
	w := &world{
		topo: topology.Small(), rules: map[string][]agent.Rule{}, caught: map[string]map[int]uint64{}, toxics: map[string]map[string]toxic.Toxic{},
		paused: map[string]bool{}, killed: map[string]bool{}, mtu: map[string]int{}, nofile: map[string]uint64{}, offload: map[string]bool{},
		fails: func(string) bool { return false },
	}
	for _, server := range w.topo.Nodes {
		ports := []int{65000, 65002}
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

// clean reports what is in force.
func (w *world) residue() []string {
	var left []string
	for owner := range w.rules {
		left = append(left, "rules of "+owner)
	}
	for link, toxics := range w.toxics {
		for name := range toxics {
			left = append(left, "toxic "+name+" on "+link)
		}
	}
	for name, on := range w.paused {
		if on {
			left = append(left, name+" is paused")
		}
	}
	for name, on := range w.killed {
		if on {
			left = append(left, name+" is dead")
		}
	}
	for name, mtu := range w.mtu {
		if mtu != 1500 {
			left = append(left, fmt.Sprintf("mtu of %s is %d", name, mtu))
		}
	}
	for name, n := range w.nofile {
		if n != 1024 {
			left = append(left, fmt.Sprintf("nofile of %s is %d", name, n))
		}
	}
	for owner := range w.offload {
		left = append(left, "offloads off for "+owner)
	}
	return left
}

func (w *world) Edges() []fault.Edge { return w.edges }
func (w *world) Listener(e fault.Edge) (string, uint16) {
	return "proxy", uint16(20000 + slices.Index(w.edges, e))
}

func (w *world) Destination(e fault.Edge) netip.AddrPort {
	host := slices.IndexFunc(w.topo.Nodes, func(n topology.Node) bool { return n.Name == e.Server })
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(host + 10)}), uint16(e.Port))
}
func (w *world) Bulk(e fault.Edge) bool       { return e.Port != 65000 }
func (w *world) Container(node string) string { return node }
func (w *world) Kernel() fault.Kernel         { return w }
func (w *world) Streams() fault.Streams       { return w }
func (w *world) Processes() fault.Processes   { return w }

func (w *world) try(what string) error {
	if w.fails(what) {
		return fmt.Errorf("%s: %w", what, errInjected)
	}
	return nil
}

// Look sees what the entries say.
func (w *world) Look(_ context.Context, looks []fault.Look) ([]history.Reading, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("look"); err != nil {
		return nil, err
	}
	readings := make([]history.Reading, len(looks))
	for i, l := range looks {
		if l.Ask.Bulk > 0 && !w.Bulk(l.Edge) {
			l.Ask.Bulk = 0
		}
		readings[i] = w.look(l)
	}
	return readings, nil
}

func (w *world) look(l fault.Look) history.Reading {
	r := history.Reading{Link: l.Edge.String(), Outcome: agent.OutcomeOK, RTTMS: 1, TotalMS: 2, Bytes: int64(l.Ask.Bulk)}
	_, listener := w.Listener(l.Edge)
	for owner, rules := range w.rules {
		for k, rule := range rules {
			hit := rule.Node == "proxy" && (slices.Contains(rule.Ports, listener) || w.leaky) && (rule.LongerThan == 0 || l.Ask.Pad > 0) ||
				rule.Node == l.Edge.Client && w.deaf != l.Edge.Client && (slices.Contains(rule.Originals, w.Destination(l.Edge)) || w.leaky) && (rule.LongerThan == 0 || l.Ask.Bulk > 0)
			if hit {
				if w.caught[owner] == nil {
					w.caught[owner] = map[int]uint64{}
				}
				w.caught[owner][k]++
				r.Outcome = agent.OutcomeTimeout
				if rule.Verdict == agent.Reset {
					r.Outcome = agent.OutcomeRefused
				}
			}
		}
	}
	effects := w.toxics[l.Edge.String()]
	for _, others := range w.toxics {
		if w.leaky && len(effects) == 0 {
			effects = others
		}
	}
	for _, t := range effects {
		switch t := t.(type) {
		case toxic.Latency:
			r.RTTMS += float64(t.Delay.Milliseconds())
		case toxic.Bandwidth:
			r.TotalMS += 1000 * float64(l.Ask.Bulk) / float64(t.BytesPerSecond)
		case toxic.ResetPeer:
			r.Outcome = agent.OutcomeReset
		}
	}
	if n, limited := w.nofile[l.Edge.Server]; w.paused[l.Edge.Server] || limited && n <= openFiles {
		r.Outcome = agent.OutcomeTimeout
	}
	return r
}

func (w *world) AddRules(_ context.Context, owner string, rules []agent.Rule) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.rules[owner]; there {
		return agent.ErrExists
	}
	if err := w.try("add rules"); err != nil {
		return err
	}
	w.rules[owner] = rules
	return nil
}

func (w *world) RemoveRules(_ context.Context, owner string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("remove rules"); err != nil {
		return err
	}
	delete(w.rules, owner)
	return nil
}

func (w *world) Counters(_ context.Context, owner string) ([]agent.Count, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.rules[owner]; !there {
		return nil, nil
	}
	counts := []agent.Count{}
	for rule, n := range w.caught[owner] {
		counts = append(counts, agent.Count{Rule: rule, Packets: n})
	}
	return counts, nil
}

func (w *world) Offload(_ context.Context, owner string, _ []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offload[owner] = true // half done also when it fails
	return w.try("offload")
}

func (w *world) RestoreOffload(_ context.Context, owner string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("restore offload"); err != nil {
		return err
	}
	delete(w.offload, owner)
	return nil
}

func (w *world) SetMTU(_ context.Context, node string, mtu int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("set mtu"); err != nil {
		return 0, err
	}
	previous := w.mtu[node]
	if previous == 0 {
		previous = 1500
	}
	w.mtu[node] = mtu
	return previous, nil
}

func (w *world) Facts(_ context.Context, node string) (agent.Facts, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mtu[node] == 0 {
		w.mtu[node] = 1500
	}
	return agent.Facts{MTU: w.mtu[node]}, w.try("facts")
}

func (w *world) Descriptors(_ context.Context, node string) (agent.Descriptors, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nofile[node] == 0 {
		w.nofile[node] = 1024
	}
	d := agent.Descriptors{Soft: w.nofile[node], Hard: 4096, Open: openFiles}
	for n := range uint64(openFiles) {
		d.Numbers = append(d.Numbers, n)
	}
	if w.passing > 0 {
		w.passing--
		d.Numbers = append(d.Numbers, openFiles)
	}
	return d, w.try("descriptors")
}

func (w *world) LimitDescriptors(_ context.Context, node string, soft uint64) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("limit descriptors"); err != nil {
		return 0, err
	}
	previous := w.nofile[node]
	w.nofile[node] = soft
	return previous, nil
}

func (w *world) Add(_ context.Context, link, name string, t toxic.Toxic) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("add toxic"); err != nil {
		return err
	}
	if w.toxics[link] == nil {
		w.toxics[link] = map[string]toxic.Toxic{}
	}
	w.toxics[link][name] = t
	return nil
}

func (w *world) Remove(_ context.Context, link, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try("remove toxic"); err != nil {
		return err
	}
	delete(w.toxics[link], name)
	return nil
}

func (w *world) set(m map[string]bool, what, node string, on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.try(what); err != nil {
		return err
	}
	m[node] = on
	return nil
}

func (w *world) Pause(_ context.Context, node string) error {
	return w.set(w.paused, "pause", node, true)
}

func (w *world) Unpause(_ context.Context, node string) error {
	return w.set(w.paused, "unpause", node, false)
}

func (w *world) Kill(_ context.Context, node string) error {
	return w.set(w.killed, "kill", node, !w.immortal)
}

func (w *world) Runs(_ context.Context, node string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.killed[node], w.try("runs")
}

func (w *world) Start(_ context.Context, node string) error {
	return w.set(w.killed, "start", node, false)
}
