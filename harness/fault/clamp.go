package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/topology"
)

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
func (c Clamp) Target() string { return fmt.Sprintf("%s to %d bytes", list(c.Nodes), c.Bytes) }

// Plan implements Fault.
func (c Clamp) Plan(t Target, _ string) (Plan, error) {
	// RFC 791: what cannot forward 68 bytes is no IP host, and no packet is longer than 65535.
	if c.Bytes < 68 || c.Bytes > 65535 {
		return Plan{}, fmt.Errorf("%d bytes: use 68 to 65535", c.Bytes)
	}
	if err := named(t, c.Nodes); err != nil {
		return Plan{}, err
	}
	read := func(ctx context.Context, node string) (uint64, error) {
		facts, err := t.Kernel().Facts(ctx, t.Container(node))
		return uint64(facts.MTU), err //nolint:gosec // never negative
	}
	return Plan{
		Mechanism: "netlink, MTU of eth0",
		Affected:  Around(c.Nodes...).In(t.Edges()), Nodes: names(c.Nodes), Lives: names(c.Nodes),
		Apply: func(ctx context.Context) (Undo, error) {
			return each(ctx, c.Nodes, func(ctx context.Context, node string) (Undo, error) {
				previous, err := t.Kernel().SetMTU(ctx, t.Container(node), c.Bytes)
				if err != nil {
					return nothing, fmt.Errorf("set the MTU of %s: %w", node, err)
				}
				return func(ctx context.Context) error {
					_, err := t.Kernel().SetMTU(ctx, t.Container(node), previous)
					return quietly(err)
				}, nil
			})
		},
		Counters: figures("mtu", names(c.Nodes), read),
		Spared:   figures("mtu", others(t, c.Nodes), read),
		Proven: func(before, during map[string]uint64) error {
			for name, mtu := range during {
				if mtu != uint64(c.Bytes) || before[name] == mtu { //nolint:gosec // checked by the kernel
					return fmt.Errorf("%s is %d, was %d", name, mtu, before[name])
				}
			}
			return nil
		},
	}, nil
}
