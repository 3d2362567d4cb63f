package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/topology"
)

// Pause freezes all processes of nodes: their kernels accept, nobody answers. A machine
// that swaps, a virtual machine that is being moved.
type Pause struct {
	Nodes []topology.Node
}

// Kind implements Fault.
func (p Pause) Kind() string { return "pause" }

// Target implements Fault.
func (p Pause) Target() string { return list(p.Nodes) }

// Plan implements Fault.
func (p Pause) Plan(t Target, _ string) (Plan, error) {
	plan, err := outage(t, p.Nodes)
	if err != nil {
		return Plan{}, err
	}
	plan.Mechanism, plan.Bites = "the engine's pause", silent
	plan.Counters, plan.Spared = figures("running processes", names(p.Nodes), runs(t)), figures("running processes", others(t, p.Nodes), runs(t))
	plan.Proven = dead
	plan.Apply = func(ctx context.Context) (Undo, error) {
		return each(ctx, p.Nodes, func(ctx context.Context, node string) (Undo, error) {
			return func(ctx context.Context) error { return t.Processes().Unpause(ctx, node) }, t.Processes().Pause(ctx, node)
		})
	}
	return plan, nil
}

// runs reads whether a node's first process runs: it lives, and is not paused.
func runs(t Target) func(ctx context.Context, node string) (uint64, error) {
	return func(ctx context.Context, node string) (uint64, error) {
		alive, err := t.Processes().Runs(ctx, node)
		if alive {
			return 1, err
		}
		return 0, err
	}
}

// dead is Proven for nodes that must not run. A packet rule that answers for a killed one
// would refuse for a living one too.
func dead(_, during map[string]uint64) error {
	for name, n := range during {
		if n != 0 {
			return fmt.Errorf("%s: %d", name, n)
		}
	}
	return nil
}

// outage is the plan for nodes that others are to find away: what they have in common.
func outage(t Target, nodes []topology.Node) (Plan, error) {
	if err := named(t, nodes); err != nil {
		return Plan{}, err
	}
	into, err := selected(t, Into(nodes...))
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Affected: Around(nodes...).In(t.Edges()), Nodes: names(nodes), Edges: fromOutside(into, nodes)}
	if len(plan.Edges) == 0 {
		return Plan{}, fmt.Errorf("nobody is left outside of %s to see it", list(nodes))
	}
	return plan, nil
}
