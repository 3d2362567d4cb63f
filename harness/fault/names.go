package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// What faults on names have in common: nodes ask their resolver, and somebody else
// answers. Their links go on carrying; a node that knows an address already does not
// notice.

// resolver is the port under which a name is written as a link in receipts.
const resolver = 53

// lookups are what nodes ask for.
type lookups struct {
	nodes []topology.Node // who asks
	of    []topology.Node // whose names; all if empty
}

func (l lookups) String() string {
	whose := "all names"
	if len(l.of) > 0 {
		whose = list(l.of)
	}
	return fmt.Sprintf("%s of %s", whose, list(l.nodes))
}

// looks are questions of a client for names: all but its own.
func (l lookups) looks(client string, names []string, silence time.Duration) []Look {
	var looks []Look
	for _, name := range names {
		if name != client {
			looks = append(looks, Look{Edge: Edge{client, name, resolver}, Ask: Ask{Name: name, Silence: silence}})
		}
	}
	return looks
}

// plan completes a plan for a spoof. It is seen by those who ask, and not by others, nor
// with other names.
func (l lookups) plan(t Target, id string, spoof agent.Spoof, plan Plan, silence time.Duration) (Plan, error) {
	if err := named(t, l.nodes); err != nil {
		return Plan{}, err
	}
	all := everybody(t)
	wanted := all
	if len(l.of) > 0 {
		if err := named(t, l.of); err != nil {
			return Plan{}, err
		}
		wanted = names(l.of)
		spoof.Names = wanted
	}
	var containers []string
	plan.Lives = names(l.nodes)
	for _, n := range l.nodes {
		containers = append(containers, t.Container(n.Name))
		for _, look := range l.looks(n.Name, wanted, silence) {
			plan.Affected = append(plan.Affected, look.Edge)
		}
		plan.looks = append(plan.looks, sample(l.looks(n.Name, wanted, silence), probeAtMost)...)
		if len(l.of) > 0 {
			spared := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(wanted, name) })
			plan.Beside = append(plan.Beside, sample(l.looks(n.Name, spared, silence), 1)...)
		}
	}
	for _, other := range others(t, l.nodes) {
		plan.Beside = append(plan.Beside, sample(l.looks(other, wanted, silence), 2)...)
	}
	if len(plan.looks) == 0 || len(plan.Beside) == 0 {
		return Plan{}, errors.New("no name to ask for, or nobody left who is spared: nothing would show the fault")
	}
	plan.Apply = func(ctx context.Context) (Undo, error) {
		undo := once(func(ctx context.Context) error { return t.Kernel().RestoreNames(ctx, id) })
		if err := t.Kernel().SpoofNames(ctx, id, containers, spoof); err != nil {
			return undo, fmt.Errorf("answer for %s: %w", strings.Join(wanted, ","), err)
		}
		return undo, nil
	}
	plan.Mechanism = "a resolver of faultd's in the node's network namespace"
	plan.Counters = func(ctx context.Context) (map[string]uint64, error) {
		n, err := t.Kernel().Asked(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read questions: %w", err)
		}
		return map[string]uint64{"questions": n}, nil
	}
	plan.Proven = func(_, during map[string]uint64) error {
		if during["questions"] == 0 {
			return errors.New("no question came")
		}
		return nil
	}
	return plan, nil
}
