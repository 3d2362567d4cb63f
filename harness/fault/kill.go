package fault

import (
	"context"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// Kill ends nodes without warning (SIGKILL). Healing starts them again: the same disk and
// address, a new process.
type Kill struct {
	Nodes []topology.Node
}

// Kind implements Fault.
func (k Kill) Kind() string { return "kill" }

// Target implements Fault.
func (k Kill) Target() string { return list(k.Nodes) }

// Plan implements Fault.
func (k Kill) Plan(t Target, id string) (Plan, error) {
	return ended(t, k.Nodes, id, "SIGKILL", t.Processes().Kill)
}

// ended is the plan of nodes that end by a signal and are started again when healed.
func ended(t Target, nodes []topology.Node, id, signal string, end func(ctx context.Context, node string) error) (Plan, error) {
	plan, err := outage(t, nodes)
	if err != nil {
		return Plan{}, err
	}
	plan.Mechanism, plan.Bites = signal+" by the engine; its links refused, as its host would", refused
	plan.Counters, plan.Spared = figures("running processes", names(nodes), runs(t)), figures("running processes", others(t, nodes), runs(t))
	plan.Proven, plan.Ends = dead, names(nodes)
	plan.Apply = func(ctx context.Context) (Undo, error) {
		var undos stack
		removeRules, err := refuseFor(ctx, t, id, nodes)
		undos.push(removeRules)
		if err != nil {
			return undos.undo, err
		}
		start, err := each(ctx, nodes, func(ctx context.Context, node string) (Undo, error) {
			return func(ctx context.Context) error { return t.Processes().Start(ctx, node) }, end(ctx, node)
		})
		undos.push(start)
		return undos.undo, err
	}
	return plan, nil
}

// refuseFor refuses the links into nodes that are about to end: behind the proxy a dead
// container would look like one that accepts and hangs up, and stall the proxy's accept
// loop for the three seconds of an ARP timeout. The host of a process that has ended
// answers with a reset.
func refuseFor(ctx context.Context, t Target, id string, nodes []topology.Node) (Undo, error) {
	into := Into(nodes...).In(t.Edges())
	return packets{edges: into, direction: Upstream, rule: agent.Rule{Verdict: agent.Reset}}.apply(ctx, t, id)
}

// fromOutside leaves out the edges whose client is one of nodes.
func fromOutside(edges []Edge, nodes []topology.Node) []Edge {
	return without(edges, nodes, func(e Edge) string { return e.Client })
}
