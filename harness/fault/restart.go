package fault

import (
	"context"
	"errors"
	"fmt"

	"github.com/faultbed/faultbed/harness/topology"
)

// Restart stops nodes as an operator does, with SIGTERM, and starts them again at once:
// the same disk and address, a new process. It is over when it is injected; healing has
// nothing left to do.
type Restart struct {
	Nodes []topology.Node
}

// Kind implements Fault.
func (r Restart) Kind() string { return "restart" }

// Target implements Fault.
func (r Restart) Target() string { return list(r.Nodes) }

// Plan implements Fault.
func (r Restart) Plan(t Target, id string) (Plan, error) {
	plan, err := outage(t, r.Nodes)
	if err != nil {
		return Plan{}, err
	}
	since := func(ctx context.Context, node string) (uint64, error) {
		at, err := t.Processes().Since(ctx, node)
		return uint64(at.UnixMilli()), err //nolint:gosec // after 1970
	}
	plan.Mechanism = "SIGTERM and a start by the engine; its links refused in between, as its host would"
	plan.Counters, plan.Spared = figures("start", names(r.Nodes), since), figures("start", others(t, r.Nodes), since)
	plan.Lasts = true
	plan.Proven = func(before, during map[string]uint64) error {
		for name, at := range during {
			if at <= before[name] {
				return fmt.Errorf("%s is the same as before", name)
			}
		}
		return nil
	}
	plan.Apply = func(ctx context.Context) (Undo, error) {
		undo, err := refuseFor(ctx, t, id, r.Nodes)
		if err != nil {
			return undo, err
		}
		again, err := each(ctx, r.Nodes, func(ctx context.Context, node string) (Undo, error) {
			start := func(ctx context.Context) error {
				if runs, err := t.Processes().Runs(ctx, node); err != nil || runs {
					return err
				}
				return t.Processes().Start(ctx, node)
			}
			if err := t.Processes().Stop(ctx, node); err != nil {
				return start, err
			}
			return start, t.Processes().Start(ctx, node)
		})
		undos := stack{undo, again} // of what was half done: those that were stopped are started
		return undos.undo, errors.Join(err, undo(ctx))
	}
	return plan, nil
}
