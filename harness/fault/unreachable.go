package fault

import (
	"fmt"
	"slices"

	"github.com/faultbed/faultbed/harness/topology"
)

// Unreachable takes nodes out of reach of all others, in one of the ways that a
// scenario's table compares. Dropped also stops what the nodes themselves send; a refused
// node can still reach out.
type Unreachable struct {
	Nodes []topology.Node
	How   How
}

// Kind implements Fault.
func (u Unreachable) Kind() string { return "unreachable" }

// Target implements Fault.
func (u Unreachable) Target() string { return fmt.Sprintf("%s %s", list(u.Nodes), u.How) }

func (u Unreachable) effect() Fault {
	switch u.How {
	case Refused:
		return Refuse{Links: Into(u.Nodes...)}
	case Paused:
		return Pause{Nodes: u.Nodes}
	case Killed:
		return Kill{Nodes: u.Nodes}
	default:
		return Drop{Links: Around(u.Nodes...)}
	}
}

// Plan implements Fault.
func (u Unreachable) Plan(t Target, id string) (Plan, error) {
	if !slices.Contains([]How{Dropped, Refused, Paused, Killed}, u.How) {
		return Plan{}, fmt.Errorf("how %q: use dropped, refused, paused or killed", u.How)
	}
	seen, err := outage(t, u.Nodes)
	if err != nil {
		return Plan{}, err
	}
	plan, err := u.effect().Plan(t, id)
	switch u.How {
	case Dropped:
		plan.Edges = slices.Concat(seen.Edges, toOutside(plan.Affected, u.Nodes))
	case Refused:
		plan.Affected, plan.Edges = seen.Affected, seen.Edges
	}
	return plan, err
}

// toOutside keeps the edges that lead from nodes to others.
func toOutside(edges []Edge, nodes []topology.Node) []Edge {
	from := slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool { return !slices.Contains(names(nodes), e.Client) })
	return without(from, nodes, func(e Edge) string { return e.Server })
}

// without leaves out the edges of which one end is one of nodes.
func without(edges []Edge, nodes []topology.Node, end func(Edge) string) []Edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool { return slices.Contains(names(nodes), end(e)) })
}
