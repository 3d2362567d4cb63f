package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/topology"
)

// crowd is a bed of 30 nodes: 870 directed pairs, each with a link for every port.
const (
	crowd      = 30
	crowdSeeds = 2
)

// steering compares what it takes to steer all links of a crowd with the start of its
// containers, within which it happens.
func (m *meter) steering(ctx context.Context) ([]Comparison, error) {
	m.progress(fmt.Sprintf("steering of %d nodes, %d times", crowd, m.rounds))
	t := topology.Of(1, crowdSeeds, crowd-2-crowdSeeds) // and the origin
	compared := Comparison{
		What:   fmt.Sprintf("%d nodes steered, all at once", len(t.Nodes)),
		Theirs: Sample{What: "the start of their containers, one of it the same"},
	}
	err := onBed(func(tb testing.TB) error {
		tb.Helper()
		start := time.Now()
		bed := harness.Lay(ctx, tb, t)
		compared.Theirs.add(time.Since(start))
		compared.Ours.What = fmt.Sprintf("faultd: routes of %d links laid anew in all namespaces", len(bed.Edges()))
		for range m.rounds {
			start := time.Now()
			if err := bed.Resteer(ctx); err != nil {
				return err
			}
			compared.Ours.add(time.Since(start))
		}
		return nil
	})
	return []Comparison{compared}, err
}
