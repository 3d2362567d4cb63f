package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/topology"
)

// FDHog holds idle connections open against a port of a node, out of another, until the
// node has no descriptors left or all are open: clients that leak connections, a
// slowloris. Give the node few descriptors (topology.Descriptors) to see it run out.
type FDHog struct {
	From, On    topology.Node
	Port        int
	Connections int
}

// Kind implements Fault.
func (h FDHog) Kind() string { return "fd-hog" }

// Target implements Fault.
func (h FDHog) Target() string {
	return fmt.Sprintf("%s>%s:%d with %d connections", h.From.Name, h.On.Name, h.Port, h.Connections)
}

// Plan implements Fault.
func (h FDHog) Plan(t Target, id string) (Plan, error) {
	const most = 20_000 // the agent's bound
	if h.Connections < 10 || h.Connections > most {
		return Plan{}, fmt.Errorf("%d connections: use 10 to %d", h.Connections, most)
	}
	edges, err := selected(t, From(h.From).To(h.On).Port(h.Port))
	if err != nil {
		return Plan{}, err
	}
	on := []topology.Node{h.On}
	open := func(ctx context.Context, node string) (uint64, error) {
		d, err := t.Kernel().Descriptors(ctx, t.Container(node))
		return d.Open, err
	}
	return Plan{
		Mechanism: "idle connections of faultd's, out of the client's network namespace",
		Affected:  Around(h.On).In(t.Edges()), Nodes: names(on), Lives: []string{h.From.Name},
		Apply: func(ctx context.Context) (Undo, error) {
			undo := once(func(ctx context.Context) error { return t.Kernel().Unhog(ctx, id) })
			if err := t.Kernel().Hog(ctx, id, t.Container(h.From.Name), t.Destination(edges[0]), h.Connections); err != nil {
				return undo, fmt.Errorf("hold connections: %w", err)
			}
			return undo, nil
		},
		Counters: func(ctx context.Context) (map[string]uint64, error) {
			all, err := figures("descriptors", names(on), open)(ctx)
			if err != nil {
				return nil, err
			}
			held, err := t.Kernel().Hogged(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("count held connections: %w", err)
			}
			d, err := t.Kernel().Descriptors(ctx, t.Container(h.On.Name))
			all["connections"], all["limit"] = uint64(held), d.Soft //nolint:gosec // a count
			return all, err
		},
		// All are open, or there is no room for more. Some descriptors come and go.
		Proven: func(before, during map[string]uint64) error {
			name := "descriptors of " + h.On.Name
			const passing = 8
			full := during[name]+passing >= during["limit"] && before[name]+passing < before["limit"]
			held, rise, want := int64(during["connections"]), int64(during[name])-int64(before[name]), int64(h.Connections)*9/10 //nolint:gosec // small counts
			if held > 0 && full || held >= want && rise >= want {
				return nil
			}
			return fmt.Errorf("%d connections are held and %d more descriptors open, of %d and a limit of %d", held, rise, h.Connections, during["limit"])
		},
	}, nil
}
