package fault

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
)

// packets is what becomes of the packets of some links, where they arrive: towards the
// server in the proxy's namespace, towards the client in the client's own.
type packets struct {
	edges     []Edge
	direction Direction
	rule      agent.Rule // what all of its rules have in common
}

// rules are the kernel rules of p, one per namespace and direction.
func (p packets) rules(t Target) []agent.Rule {
	listeners, originals := map[string][]uint16{}, map[string][]netip.AddrPort{} // by where a packet arrives
	atClient, proxyOf := map[string][]uint16{}, map[string]string{}
	for _, e := range p.edges {
		proxy, port := t.Listener(e)
		client := t.Container(e.Client)
		listeners[proxy] = append(listeners[proxy], port)
		originals[client] = append(originals[client], t.Destination(e))
		atClient[client], proxyOf[client] = append(atClient[client], port), proxy
	}
	leaving := p.rule.Verdict == agent.Duplicate // only what leaves can be sent twice
	var rules []agent.Rule
	add := func(direction agent.Direction, node string, ports []uint16, originals []netip.AddrPort) {
		rule := p.rule
		rule.Node, rule.Direction, rule.Leaving, rule.Ports, rule.Originals = node, direction, leaving, ports, originals
		rules = append(rules, rule)
	}
	byListener := func(direction agent.Direction) {
		for _, proxy := range slices.Sorted(maps.Keys(listeners)) {
			add(direction, proxy, listeners[proxy], nil)
		}
	}
	byOriginal := func(direction agent.Direction) {
		for _, client := range slices.Sorted(maps.Keys(originals)) {
			add(direction, client, nil, originals[client])
		}
	}
	if p.direction.up() {
		if leaving {
			byOriginal(agent.Upstream)
		} else {
			byListener(agent.Upstream)
		}
	}
	switch {
	case !p.direction.down():
	case leaving:
		byListener(agent.Downstream)
	case p.rule.Verdict == agent.Corrupt: // before the address is rewritten
		for _, client := range slices.Sorted(maps.Keys(atClient)) {
			add(agent.Downstream, client, atClient[client], nil)
		}
	default:
		byOriginal(agent.Downstream)
	}
	return rules
}

// lives are the clients in whose namespaces some of the rules are.
func (p packets) lives() []string {
	at := map[string]bool{}
	if p.direction.down() == (p.rule.Verdict != agent.Duplicate) || p.direction == Both {
		for _, e := range p.edges {
			at[e.Client] = true
		}
	}
	return slices.Sorted(maps.Keys(at))
}

// apply puts p in force under an owner's name.
func (p packets) apply(ctx context.Context, t Target, owner string) (Undo, error) {
	return addRules(ctx, t, owner, p.rules(t))
}

func addRules(ctx context.Context, t Target, owner string, rules []agent.Rule) (Undo, error) {
	undo := once(func(ctx context.Context) error { return t.Kernel().RemoveRules(ctx, owner) })
	if err := t.Kernel().AddRules(ctx, owner, rules); err != nil {
		return undo, fmt.Errorf("add packet rules: %w", err)
	}
	return undo, nil
}

// applyOnWire puts p in force with packets as on a wire: without it a rule would judge
// super-packets, and packets without checksum, that no wire carries.
func (p packets) applyOnWire(ctx context.Context, t Target, owner string) (Undo, error) {
	var undos stack
	undos.push(once(func(ctx context.Context) error { return t.Kernel().RestoreOffload(ctx, owner) }))
	if err := t.Kernel().Offload(ctx, owner, p.ends(t)); err != nil {
		return undos.undo, fmt.Errorf("switch offloads off: %w", err)
	}
	remove, err := p.apply(ctx, t, owner)
	undos.push(remove)
	return undos.undo, err
}

// ends are the containers at both ends of the faulted packets' way.
func (p packets) ends(t Target) []string {
	ids := map[string]bool{}
	for _, e := range p.edges {
		proxy, _ := t.Listener(e)
		ids[proxy], ids[t.Container(e.Client)] = true, true
	}
	return slices.Sorted(maps.Keys(ids))
}

// caught reads how many packets the rules of p hit, by direction, and, where they hit a
// sample, how many they have seen.
func (p packets) caught(t Target, owner string) func(context.Context) (map[string]uint64, error) {
	return count(t, owner, p.rules(t))
}

func count(t Target, owner string, rules []agent.Rule) func(context.Context) (map[string]uint64, error) {
	return func(ctx context.Context) (map[string]uint64, error) {
		counts, err := t.Kernel().Counters(ctx, owner)
		if err != nil {
			return nil, fmt.Errorf("read packet counters: %w", err)
		}
		sum := map[string]uint64{}
		for _, r := range rules {
			sum[hits(r)] = 0
		}
		for _, c := range counts {
			if c.Rule >= len(rules) {
				continue
			}
			r := rules[c.Rule]
			sum[hits(r)] += c.Packets
			if r.Sample.PerMillion > 0 || len(r.Sample.Indices) > 0 {
				sum[seen(r)] += c.Seen
			}
		}
		return sum, nil
	}
}

// hits and seen name the figures of a rule.
func hits(r agent.Rule) string { return "packets " + r.Direction.String() }
func seen(r agent.Rule) string { return "packets " + r.Direction.String() + ", seen" }

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
	if len(during) == 0 {
		return fmt.Errorf("the kernel caught no packet")
	}
	for name, n := range during {
		if n == 0 {
			return fmt.Errorf("the kernel caught no %s", name)
		}
	}
	return nil
}
