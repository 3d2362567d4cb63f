package scenarios

import (
	"context"
	"slices"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// fresh returns a function for Eventually: the next download on a peer of a file that
// nobody has yet.
func fresh(bed *harness.Bed, peer topology.Node) func(context.Context) (history.Download, error) {
	n := 0
	return func(ctx context.Context) (history.Download, error) {
		n++
		return bed.Download(ctx, peer, fixtures.Fresh(n)).Wait(ctx)
	}
}

// others are nodes less one.
func others(nodes []topology.Node, one topology.Node) []topology.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n topology.Node) bool { return n.Name == one.Name })
}
