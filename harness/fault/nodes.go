package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// What faults on nodes have in common.

// named refuses faults on nobody, and on nodes that the target does not have.
func named(t Target, nodes []topology.Node) error {
	if len(nodes) == 0 {
		return errors.New("no node given")
	}
	known := everybody(t)
	for _, n := range nodes {
		if !slices.Contains(known, n.Name) {
			return fmt.Errorf("no node %s on this bed", n.Name)
		}
	}
	return nil
}

// everybody are the names of all nodes with a link, in the order of links.
func everybody(t Target) []string {
	var all []string
	known := map[string]bool{}
	for _, e := range t.Edges() {
		for _, name := range []string{e.Client, e.Server} {
			if !known[name] {
				known[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}

// others are two nodes that a fault is not on: its control.
func others(t Target, nodes []topology.Node) []string {
	const controls = 2
	rest := slices.DeleteFunc(everybody(t), func(name string) bool { return slices.Contains(names(nodes), name) })
	return sample(rest, controls)
}

func names(nodes []topology.Node) []string { return topology.Names(nodes) }

func list(nodes []topology.Node) string { return strings.Join(names(nodes), ",") }

// figures reads one figure of each of some nodes.
func figures(what string, nodes []string, read func(ctx context.Context, node string) (uint64, error)) func(context.Context) (map[string]uint64, error) {
	return func(ctx context.Context) (map[string]uint64, error) {
		all := map[string]uint64{}
		for _, node := range nodes {
			n, err := read(ctx, node)
			if err != nil {
				return nil, fmt.Errorf("read the %s of %s: %w", what, node, err)
			}
			all[what+" of "+node] = n
		}
		return all, nil
	}
}

// each does something to every node, and gives the undo of all that was done.
func each(ctx context.Context, nodes []topology.Node, do func(ctx context.Context, node string) (Undo, error)) (Undo, error) {
	var undos stack
	for _, n := range nodes {
		undo, err := do(ctx, n.Name)
		undos.push(once(undo))
		if err != nil {
			return undos.undo, err
		}
	}
	return undos.undo, nil
}

// quietly forgives an undo that found its node dead: what was done to the process, or to
// its namespace, died with it.
func quietly(err error) error {
	if errors.Is(err, agent.ErrNodeGone) {
		return nil
	}
	return err
}
