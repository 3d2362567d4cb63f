package scenarios

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// fresh returns a function for Eventually: the next download on a peer of a file that
// nobody has yet. It may come from elsewhere than hoped for; that it arrives is no matter
// of patience.
func fresh(bed *harness.Bed, peer topology.Node) func(context.Context) (history.Download, error) {
	n := 0
	return func(ctx context.Context) (history.Download, error) {
		n++
		outcome, err := bed.Download(ctx, peer, fixtures.Fresh(n)).Wait(ctx)
		if err == nil && (outcome.Error != "" || !outcome.SHA256OK) {
			return outcome, StopTrying(fmt.Sprintf("%s did not arrive on %s: %s", outcome.File, outcome.Peer, outcome.Error))
		}
		return outcome, err
	}
}

// gives returns a function for Eventually: how many bytes a node has given, after one more
// file that nobody had came to a peer.
func gives(bed *harness.Bed, giver, peer topology.Node) func(context.Context) (int64, error) {
	next := fresh(bed, peer)
	return func(ctx context.Context) (int64, error) {
		if _, err := next(ctx); err != nil {
			return 0, err
		}
		return bed.Served(giver)(ctx)
	}
}

// others are nodes less one.
func others(nodes []topology.Node, one topology.Node) []topology.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n topology.Node) bool { return n.Name == one.Name })
}
