package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/topology"
)

// MemoryLimit bounds what the processes of nodes may hold in memory. One that asks for
// more is killed by the kernel; page cache is given back first.
type MemoryLimit struct {
	Nodes []topology.Node
	Bytes int64
}

// Kind implements Fault.
func (m MemoryLimit) Kind() string { return "memory-limit" }

// Target implements Fault.
func (m MemoryLimit) Target() string { return fmt.Sprintf("%s to %d bytes", list(m.Nodes), m.Bytes) }

// Plan implements Fault.
func (m MemoryLimit) Plan(t Target, _ string) (Plan, error) {
	const least = 6 << 20 // the engine's own
	if m.Bytes < least {
		return Plan{}, fmt.Errorf("%d bytes: use %d at least", m.Bytes, least)
	}
	if err := named(t, m.Nodes); err != nil {
		return Plan{}, err
	}
	read := func(ctx context.Context, node string) (uint64, error) {
		u, err := t.Processes().Usage(ctx, node)
		return u.MemoryLimit, err
	}
	bound := func(ctx context.Context, node string) (uint64, error) {
		l, err := t.Processes().Limits(ctx, node)
		return uint64(max(l.MemoryBytes, 0)), err
	}
	return Plan{
		Mechanism: "the engine's memory limit (cgroup), swap included", Needs: []string{"cgroup-memory"},
		Affected: Around(m.Nodes...).In(t.Edges()), Nodes: names(m.Nodes),
		Apply:    func(ctx context.Context) (Undo, error) { return limit(ctx, t, m.Nodes, Limits{MemoryBytes: m.Bytes}) },
		Counters: figures("memory limit", names(m.Nodes), read),
		Spared:   figures("memory bound", others(t, m.Nodes), bound),
		Proven: func(before, during map[string]uint64) error {
			const page = 4096 // limits are rounded to pages
			for name, n := range during {
				if n/page != uint64(m.Bytes)/page || n >= before[name] { //nolint:gosec // positive
					return fmt.Errorf("%s is %d, was %d", name, n, before[name])
				}
			}
			return nil
		},
	}, nil
}
