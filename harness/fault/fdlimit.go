package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// FDLimit leaves the running processes of nodes Spare more file descriptors than they
// hold open, by prlimit(2): what is open stays open, the next open fails with "too
// many open files". Only the soft limit is changed, and restored.
type FDLimit struct {
	Nodes []topology.Node
	Spare int
}

const (
	// descriptorSamples are taken, descriptorEvery apart, to tell what a process keeps
	// open from what it opens in passing: a connection that closes after the limit was
	// set would leave room for another.
	descriptorSamples = 6
	descriptorEvery   = 60 * time.Millisecond
)

// Kind implements Fault.
func (f FDLimit) Kind() string { return "fd-limit" }

// Target implements Fault.
func (f FDLimit) Target() string {
	return fmt.Sprintf("%s, %d spare", list(f.Nodes), f.Spare)
}

// Plan implements Fault.
func (f FDLimit) Plan(t Target, _ string) (Plan, error) {
	if len(f.Nodes) == 0 || f.Spare < 0 {
		return Plan{}, fmt.Errorf("%d nodes, %d spare: name a node, spare none or more", len(f.Nodes), f.Spare)
	}
	seen, err := outage(t, f.Nodes)
	if err != nil {
		return Plan{}, err
	}
	soft := func(ctx context.Context, node string) (uint64, error) {
		d, err := t.Kernel().Descriptors(ctx, t.Container(node))
		return d.Soft, err
	}
	plan := Plan{
		Mechanism: "prlimit(2), soft limit of RLIMIT_NOFILE",
		Affected:  seen.Affected, Nodes: names(f.Nodes), Lives: names(f.Nodes),
		Spared:   figures("nofile", others(t, f.Nodes), soft),
		Apply:    func(ctx context.Context) (Undo, error) { return f.limit(ctx, t) },
		Insist:   func(ctx context.Context) error { return f.tighten(ctx, t) },
		Counters: func(ctx context.Context) (map[string]uint64, error) { return f.read(ctx, t) },
		Proven: func(before, during map[string]uint64) error {
			for _, n := range f.Nodes {
				if key := "nofile of " + n.Name; during[key] >= before[key] {
					return fmt.Errorf("%s is %d, was %d", key, during[key], before[key])
				}
			}
			return nil
		},
	}
	if f.Spare == 0 { // with some to spare a probe may still be served
		// A node may hold descriptors back for some of its ports.
		plan.Edges, plan.Most = seen.Edges, true
		plan.Bites = func(s Sight) error {
			if s.Before.Outcome != agent.OutcomeOK || s.During.Outcome == agent.OutcomeOK {
				return fmt.Errorf("%s is %s, was %s", s.During.Link, s.During.Outcome, s.Before.Outcome)
			}
			return nil
		}
	}
	return plan, nil
}

func (f FDLimit) limit(ctx context.Context, t Target) (Undo, error) {
	return each(ctx, f.Nodes, func(ctx context.Context, node string) (Undo, error) {
		container := t.Container(node)
		soft, err := tightest(ctx, t, container, f.Spare)
		if err != nil {
			return nothing, fmt.Errorf("descriptors of %s: %w", node, err)
		}
		previous, err := t.Kernel().LimitDescriptors(ctx, container, soft)
		if err != nil {
			return nothing, fmt.Errorf("limit descriptors of %s: %w", node, err)
		}
		return func(ctx context.Context) error {
			_, err := t.Kernel().LimitDescriptors(ctx, container, previous)
			return quietly(err)
		}, nil
	})
}

// tighten lowers the limits to what is open by now: a connection that outlived the
// samples and then closed left room for another.
func (f FDLimit) tighten(ctx context.Context, t Target) error {
	for _, n := range f.Nodes {
		container := t.Container(n.Name)
		soft, err := tightest(ctx, t, container, f.Spare)
		if err != nil {
			return fmt.Errorf("descriptors of %s: %w", n.Name, err)
		}
		now, err := t.Kernel().Descriptors(ctx, container)
		if err != nil {
			return fmt.Errorf("descriptors of %s: %w", n.Name, err)
		}
		if soft < now.Soft {
			if _, err := t.Kernel().LimitDescriptors(ctx, container, soft); err != nil {
				return fmt.Errorf("limit descriptors of %s: %w", n.Name, err)
			}
		}
	}
	return nil
}

// tightest is the soft limit under which a process can open spare descriptors more. The
// kernel compares the limit with the lowest free number (getrlimit(2), RLIMIT_NOFILE),
// not with how many are open, so the holes below it count.
func tightest(ctx context.Context, t Target, container string, spare int) (uint64, error) {
	kept := map[uint64]int{}
	beat := time.NewTicker(descriptorEvery)
	defer beat.Stop()
	for range descriptorSamples {
		d, err := t.Kernel().Descriptors(ctx, container)
		if err != nil {
			return 0, err
		}
		for _, number := range d.Numbers {
			kept[number]++
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-beat.C:
		}
	}
	if len(kept) == 0 {
		return 0, errors.New("none is open: is the process gone?")
	}
	for number := uint64(0); ; number++ {
		if kept[number] == descriptorSamples {
			continue
		}
		if spare == 0 {
			return number, nil
		}
		spare--
	}
}

func (f FDLimit) read(ctx context.Context, t Target) (map[string]uint64, error) {
	figures := map[string]uint64{}
	for _, n := range f.Nodes {
		d, err := t.Kernel().Descriptors(ctx, t.Container(n.Name))
		if err != nil {
			return nil, fmt.Errorf("read descriptors of %s: %w", n.Name, err)
		}
		figures["nofile of "+n.Name], figures["open in "+n.Name] = d.Soft, d.Open
	}
	return figures, nil
}
