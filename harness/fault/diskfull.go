package fault

import (
	"context"
	"fmt"
	"slices"

	"github.com/faultbed/faultbed/harness/topology"
)

// DiskFull fills the disk on which nodes keep pieces, all but Spare bytes. They must have
// one of their own: topology.Disk.
type DiskFull struct {
	Nodes []topology.Node
	Spare int64
}

// Kind implements Fault.
func (d DiskFull) Kind() string { return "disk-full" }

// Target implements Fault.
func (d DiskFull) Target() string { return fmt.Sprintf("%s but for %d bytes", list(d.Nodes), d.Spare) }

// Plan implements Fault.
func (d DiskFull) Plan(t Target, id string) (Plan, error) {
	if d.Spare < 0 {
		return Plan{}, fmt.Errorf("but for %d bytes: use 0 or more", d.Spare)
	}
	if err := named(t, d.Nodes); err != nil {
		return Plan{}, err
	}
	stores := map[string]string{}
	var spared []string
	for _, node := range everybody(t) {
		folder, ok := t.Store(node)
		if ok {
			stores[node] = folder
		}
		if ok && !slices.Contains(names(d.Nodes), node) {
			spared = append(spared, node)
		}
	}
	for _, n := range d.Nodes {
		if stores[n.Name] == "" {
			return Plan{}, fmt.Errorf("%s has no disk of its own: give it one by topology.Disk", n.Name)
		}
	}
	free := func(ctx context.Context, node string) (uint64, error) {
		_, free, err := t.Kernel().Disk(ctx, t.Container(node), stores[node])
		return free, err
	}
	full := func(ctx context.Context, node string) (uint64, error) {
		size, free, err := t.Kernel().Disk(ctx, t.Container(node), stores[node])
		if free < size/32 { // the swarm stores there, too: how much is free changes
			return 1, err
		}
		return 0, err
	}
	return Plan{
		Mechanism: "a file of faultd's on the node's tmpfs",
		Affected:  Around(d.Nodes...).In(t.Edges()), Nodes: names(d.Nodes), Lives: names(d.Nodes),
		Apply: func(ctx context.Context) (Undo, error) {
			return each(ctx, d.Nodes, func(ctx context.Context, node string) (Undo, error) {
				owner := id + "-" + node
				undo := func(ctx context.Context) error { return quietly(t.Kernel().Unfill(ctx, owner)) }
				if err := t.Kernel().Fill(ctx, owner, t.Container(node), stores[node], uint64(d.Spare)); err != nil {
					return undo, fmt.Errorf("fill the disk of %s: %w", node, err)
				}
				return undo, nil
			})
		},
		Counters: figures("free bytes", names(d.Nodes), free),
		Spared:   figures("full disks", sample(spared, 2), full),
		Proven: func(before, during map[string]uint64) error {
			const block = 64 << 10 // file systems give out blocks, and keep some for themselves
			for name, n := range during {
				if n > uint64(d.Spare)+block || n >= before[name] { //nolint:gosec // positive
					return fmt.Errorf("%s: %d, was %d", name, n, before[name])
				}
			}
			return nil
		},
	}, nil
}
