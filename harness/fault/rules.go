package fault

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
)

// Direction of packets on a directed link.
type Direction string

// The directions. Both is the zero value.
const (
	Both       Direction = ""
	Upstream   Direction = "upstream"   // from client to server
	Downstream Direction = "downstream" // from server to client
)

// packets is a rule for the packets of some links, dropped where they arrive: towards
// the server in the proxy's namespace, towards the client in the client's own.
type packets struct {
	edges      []Edge
	direction  Direction
	longerThan int // bytes of the IP packet; 0 for all
	verdict    agent.Verdict
}

// rules are the kernel rules of p, one per namespace and direction.
func (p packets) rules(t Target) []agent.Rule {
	up, down := map[string][]uint16{}, map[string][]netip.AddrPort{}
	for _, e := range p.edges {
		proxy, port := t.Listener(e)
		up[proxy] = append(up[proxy], port)
		client := t.Container(e.Client)
		down[client] = append(down[client], t.Destination(e))
	}
	var rules []agent.Rule
	if p.direction != Downstream {
		for _, proxy := range slices.Sorted(maps.Keys(up)) {
			rules = append(rules, agent.Rule{Node: proxy, Direction: agent.Upstream, Ports: up[proxy], LongerThan: p.longerThan, Verdict: p.verdict})
		}
	}
	// A reset answers what the client sends; nothing is left to do on its side.
	if p.direction != Upstream && p.verdict != agent.Reset {
		for _, client := range slices.Sorted(maps.Keys(down)) {
			rules = append(rules, agent.Rule{Node: client, Direction: agent.Downstream, Originals: down[client], LongerThan: p.longerThan, Verdict: p.verdict})
		}
	}
	return rules
}

// apply puts p in force under an owner's name.
func (p packets) apply(ctx context.Context, t Target, owner string) (Undo, error) {
	undo := once(func(ctx context.Context) error { return t.Kernel().RemoveRules(ctx, owner) })
	if err := t.Kernel().AddRules(ctx, owner, p.rules(t)); err != nil {
		return undo, fmt.Errorf("add packet rules: %w", err)
	}
	return undo, nil
}

// caught reads how many packets the rules of p matched, by direction.
func (p packets) caught(t Target, owner string) func(context.Context) (map[string]uint64, error) {
	return func(ctx context.Context) (map[string]uint64, error) {
		counts, err := t.Kernel().Counters(ctx, owner)
		if err != nil {
			return nil, fmt.Errorf("read packet counters: %w", err)
		}
		rules := p.rules(t)
		sum := map[string]uint64{}
		for _, r := range rules {
			sum["packets "+r.Direction.String()] = 0
		}
		for _, c := range counts {
			if c.Rule < len(rules) {
				sum["packets "+rules[c.Rule].Direction.String()] += c.Packets
			}
		}
		return sum, nil
	}
}

// somePackets is Proven for packet rules: silence without a packet caught is somebody
// else's silence. Where requests are dropped no answer is left to be, so one direction
// is enough.
func somePackets(_, during map[string]uint64) error {
	for _, n := range during {
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("the kernel caught no packet")
}

// everyDirection is Proven for packet rules that both directions of the probes meet.
func everyDirection(_, during map[string]uint64) error {
	for name, n := range during {
		if n == 0 {
			return fmt.Errorf("the kernel caught no %s", name)
		}
	}
	return nil
}
