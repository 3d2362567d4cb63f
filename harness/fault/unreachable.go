package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// Unreachable makes nodes silent to all others. Dropped also stops what the nodes
// themselves send; a refused node can still reach out.
type Unreachable struct {
	Nodes []topology.Node
	How   How
}

// Kind implements Fault.
func (u Unreachable) Kind() string { return "unreachable" }

// Target implements Fault.
func (u Unreachable) Target() string {
	return fmt.Sprintf("%s %s", strings.Join(topology.Names(u.Nodes), ","), u.How)
}

// Plan implements Fault.
func (u Unreachable) Plan(t Target, id string) (Plan, error) {
	if len(u.Nodes) == 0 {
		return Plan{}, fmt.Errorf("no node given")
	}
	into, err := selected(t, Into(u.Nodes...))
	if err != nil {
		return Plan{}, err
	}
	around := Around(u.Nodes...).In(t.Edges())
	seen := fromOutside(into, u.Nodes)
	plan := Plan{Affected: around, Edges: seen, Bites: silent}
	if len(plan.Edges) == 0 {
		return Plan{}, fmt.Errorf("nobody is left outside of %s to see it silent", topology.Names(u.Nodes))
	}
	switch u.How {
	case Dropped:
		p := packets{edges: around, verdict: agent.Drop}
		plan.Edges = slices.Concat(seen, toOutside(around, u.Nodes))
		plan.Apply = func(ctx context.Context) (Undo, error) { return p.apply(ctx, t, id) }
		plan.Counters, plan.Proven = p.caught(t, id), somePackets
	case Refused:
		p := packets{edges: into, verdict: agent.Reset}
		plan.Apply = func(ctx context.Context) (Undo, error) { return p.apply(ctx, t, id) }
		plan.Bites, plan.Counters, plan.Proven = refused, p.caught(t, id), somePackets
	case Paused:
		plan.Apply = func(ctx context.Context) (Undo, error) { return u.pause(ctx, t) }
	case Killed:
		plan.Bites, plan.Counters, plan.Proven = refused, u.alive(t), u.dead
		plan.Apply = func(ctx context.Context) (Undo, error) { return u.kill(ctx, t, id, into) }
	default:
		return Plan{}, fmt.Errorf("how %q: use dropped, refused, paused or killed", u.How)
	}
	return plan, nil
}

// alive reads which of the nodes' first processes live, and dead is Proven for it: the
// packet rule that answers for a killed node would refuse for a living one too.
func (u Unreachable) alive(t Target) func(context.Context) (map[string]uint64, error) {
	return func(ctx context.Context) (map[string]uint64, error) {
		figures := map[string]uint64{}
		for _, n := range u.Nodes {
			runs, err := t.Processes().Runs(ctx, n.Name)
			if err != nil {
				return nil, err
			}
			figures["processes of "+n.Name] = 0
			if runs {
				figures["processes of "+n.Name] = 1
			}
		}
		return figures, nil
	}
}

func (u Unreachable) dead(_, during map[string]uint64) error {
	for name, n := range during {
		if n != 0 {
			return fmt.Errorf("%s: still running", name)
		}
	}
	return nil
}

func (u Unreachable) pause(ctx context.Context, t Target) (Undo, error) {
	var undos stack
	for _, n := range u.Nodes {
		undos.push(once(func(ctx context.Context) error { return t.Processes().Unpause(ctx, n.Name) }))
		if err := t.Processes().Pause(ctx, n.Name); err != nil {
			return undos.undo, err
		}
	}
	return undos.undo, nil
}

// kill first refuses the links into the nodes: behind the proxy a dead container would
// look like one that accepts and hangs up, and stall the proxy's accept loop for the
// three seconds of an ARP timeout. The host of a killed process answers with a reset.
func (u Unreachable) kill(ctx context.Context, t Target, id string, into []Edge) (Undo, error) {
	var undos stack
	removeRules, err := packets{edges: into, verdict: agent.Reset}.apply(ctx, t, id)
	undos.push(removeRules)
	if err != nil {
		return undos.undo, err
	}
	for _, n := range u.Nodes {
		undos.push(once(func(ctx context.Context) error { return t.Processes().Start(ctx, n.Name) }))
		if err := t.Processes().Kill(ctx, n.Name); err != nil {
			return undos.undo, err
		}
	}
	return undos.undo, nil
}

// fromOutside leaves out the edges whose client is one of nodes.
func fromOutside(edges []Edge, nodes []topology.Node) []Edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool {
		return slices.Contains(topology.Names(nodes), e.Client)
	})
}

// toOutside keeps the edges that lead from nodes to others.
func toOutside(edges []Edge, nodes []topology.Node) []Edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool {
		return !slices.Contains(topology.Names(nodes), e.Client) || slices.Contains(topology.Names(nodes), e.Server)
	})
}
