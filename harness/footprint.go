package harness

import (
	"context"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Footprint is what a node holds of its machine. Descriptors are read in the kernel;
// goroutines are the node's own word, 0 where the system does not tell.
type Footprint struct{ Descriptors, Goroutines int }

// Footprint returns a function for Eventually: what a node holds now.
func (b *Bed) Footprint(n topology.Node) func(context.Context) (Footprint, error) {
	return func(ctx context.Context) (Footprint, error) {
		ctx, cancel := context.WithTimeout(ctx, Observation)
		defer cancel()
		open, err := b.session.Agent.Descriptors(ctx, b.Container(n.Name))
		f := Footprint{Descriptors: int(open.Open)} //nolint:gosec // a count of descriptors fits
		gauged, tells := b.session.System.(system.Gauged)
		if err == nil && tells {
			f.Goroutines, err = gauged.Goroutines(ctx, b.inside(), n)
		}
		return f, b.final(err)
	}
}
