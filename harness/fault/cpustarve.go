package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/topology"
)

// CPUStarve leaves the processes of nodes a fraction of a core: a neighbour that is
// busy, a limit that is too low.
type CPUStarve struct {
	Nodes []topology.Node
	CPUs  float64 // cores' worth of time in each 100 ms, 0.01 at least
}

// Kind implements Fault.
func (c CPUStarve) Kind() string { return "cpu-starve" }

// Target implements Fault.
func (c CPUStarve) Target() string { return fmt.Sprintf("%s to %g CPUs", list(c.Nodes), c.CPUs) }

// Plan implements Fault.
func (c CPUStarve) Plan(t Target, _ string) (Plan, error) {
	const least, most = 0.01, 0.2 // the engine's own least; with more, probes keep nobody busy enough to be throttled
	if c.CPUs < least || c.CPUs > most {
		return Plan{}, fmt.Errorf("%g CPUs: use %g to %g", c.CPUs, least, most)
	}
	plan, err := outage(t, c.Nodes)
	if err != nil {
		return Plan{}, err
	}
	throttled := func(ctx context.Context, node string) (uint64, error) {
		u, err := t.Processes().Usage(ctx, node)
		return u.Throttled, err
	}
	quota := func(ctx context.Context, node string) (uint64, error) {
		l, err := t.Processes().Limits(ctx, node)
		return uint64(max(l.CPUs, 0) * 1000), err
	}
	plan.Mechanism, plan.Needs = "the engine's CPU quota (cgroup)", []string{"cgroup-cpu"}
	plan.Apply = func(ctx context.Context) (Undo, error) { return limit(ctx, t, c.Nodes, Limits{CPUs: c.CPUs}) }
	// They are throttled when they have something to do: probes give them that.
	plan.Asks = []Ask{{Bulk: probeBulk}}
	plan.Edges = asked(t, plan.Edges, plan.Asks...)
	plan.Lasts = true // periods that were throttled stay counted
	plan.Counters, plan.Spared = figures("throttled periods", names(c.Nodes), throttled), figures("thousandths of a CPU", others(t, c.Nodes), quota)
	plan.Proven = func(before, during map[string]uint64) error {
		for name, n := range during {
			if n <= before[name] {
				return fmt.Errorf("%s: %d, was %d", name, n, before[name])
			}
		}
		return nil
	}
	return plan, nil
}

// limit sets limits of nodes and gives the undo.
func limit(ctx context.Context, t Target, nodes []topology.Node, l Limits) (Undo, error) {
	return each(ctx, nodes, func(ctx context.Context, node string) (Undo, error) {
		previous, err := t.Processes().Limit(ctx, node, l)
		if err != nil {
			return nothing, fmt.Errorf("limit %s: %w", node, err)
		}
		return func(ctx context.Context) error {
			_, err := t.Processes().Limit(ctx, node, previous)
			return err
		}, nil
	})
}
