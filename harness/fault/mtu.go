package fault

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// MTU is a path that swallows packets longer than Bytes and tells nobody: a tunnel
// whose "fragmentation needed" is filtered. Connections open, small messages pass,
// the first full segment never arrives.
type MTU struct {
	Links     Links
	Bytes     int // longest IP packet that passes
	Direction Direction
}

// probeBulk is how many bytes a probe sends and asks for to fill several segments of
// the usual 1500 byte MTU.
const probeBulk = 8 << 10

// Kind implements Fault.
func (m MTU) Kind() string { return "mtu" }

// Target implements Fault.
func (m MTU) Target() string {
	if m.Direction == Both {
		return fmt.Sprintf("%s over %d bytes", m.Links, m.Bytes)
	}
	return fmt.Sprintf("%s over %d bytes %s", m.Links, m.Bytes, m.Direction)
}

// Plan implements Fault.
func (m MTU) Plan(t Target, id string) (Plan, error) {
	// RFC 791: every host must accept 576 bytes; below it the handshake itself may not pass.
	if m.Bytes < 576 || m.Bytes > 1499 {
		return Plan{}, fmt.Errorf("%d bytes: use 576 to 1499", m.Bytes)
	}
	edges, err := selected(t, m.Links)
	if err != nil {
		return Plan{}, err
	}
	p := packets{edges: edges, direction: m.Direction, longerThan: m.Bytes, verdict: agent.Drop}
	plan := Plan{
		Affected: edges, Edges: edges, Bites: silent,
		Counters: p.caught(t, id), Proven: everyDirection,
		Apply: func(ctx context.Context) (Undo, error) {
			// Without this the rule would judge super-packets that no wire carries.
			var undos stack
			undos.push(once(func(ctx context.Context) error { return t.Kernel().RestoreOffload(ctx, id) }))
			if err := t.Kernel().Offload(ctx, id, p.ends(t)); err != nil {
				return undos.undo, fmt.Errorf("switch offloads off: %w", err)
			}
			remove, err := p.apply(ctx, t, id)
			undos.push(remove)
			return undos.undo, err
		},
	}
	if m.Direction != Downstream {
		plan.Asks = append(plan.Asks, Ask{Pad: probeBulk})
	}
	if m.Direction != Upstream {
		plan.Asks = append(plan.Asks, Ask{Bulk: probeBulk})
		plan.Edges = slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool { return !t.Bulk(e) })
		if len(plan.Edges) == 0 {
			return Plan{}, fmt.Errorf("no server on %s gives a long answer: nothing would show the fault", m.Links)
		}
	}
	for _, e := range sample(edges, stillAtMost) {
		plan.Still = append(plan.Still, Look{Edge: e}) // short messages pass
	}
	return plan, nil
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

// Clamp sets the interface MTU of nodes: the cure for an MTU black hole, or, too
// high or too low, a misconfiguration. It has no effect on what others see but the
// segment size that the node announces.
type Clamp struct {
	Nodes []topology.Node
	Bytes int
}

// Kind implements Fault.
func (c Clamp) Kind() string { return "clamp" }

// Target implements Fault.
func (c Clamp) Target() string {
	return fmt.Sprintf("%v to %d bytes", topology.Names(c.Nodes), c.Bytes)
}

// Plan implements Fault.
func (c Clamp) Plan(t Target, _ string) (Plan, error) {
	if len(c.Nodes) == 0 {
		return Plan{}, fmt.Errorf("no node given")
	}
	plan := Plan{
		Apply: func(ctx context.Context) (Undo, error) {
			var undos stack
			for _, n := range c.Nodes {
				container := t.Container(n.Name)
				previous, err := t.Kernel().SetMTU(ctx, container, c.Bytes)
				if err != nil {
					return undos.undo, fmt.Errorf("set the MTU of %s: %w", n.Name, err)
				}
				undos.push(once(func(ctx context.Context) error {
					_, err := t.Kernel().SetMTU(ctx, container, previous)
					return err
				}))
			}
			return undos.undo, nil
		},
		Counters: func(ctx context.Context) (map[string]uint64, error) {
			mtus := map[string]uint64{}
			for _, n := range c.Nodes {
				facts, err := t.Kernel().Facts(ctx, t.Container(n.Name))
				if err != nil {
					return nil, fmt.Errorf("read the MTU of %s: %w", n.Name, err)
				}
				mtus["mtu of "+n.Name] = uint64(facts.MTU) //nolint:gosec // never negative
			}
			return mtus, nil
		},
		Proven: func(before, during map[string]uint64) error {
			for name, mtu := range during {
				if mtu != uint64(c.Bytes) || before[name] == mtu { //nolint:gosec // checked by the kernel
					return fmt.Errorf("%s is %d, was %d", name, mtu, before[name])
				}
			}
			return nil
		},
	}
	return plan, nil
}
