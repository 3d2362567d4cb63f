package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness"
)

// bedRatio is how much longer than plain Docker a bed may take to be ready.
const bedRatio = 1.3

// beds compares harness.Start with a plain parallel `docker run` of the same nodes.
func (m *meter) beds(ctx context.Context) ([]Comparison, error) {
	m.progress(fmt.Sprintf("beds of %d nodes and plain containers, %d of each", nodes, m.rounds))
	laid := Comparison{
		What:   "containers started",
		Ours:   Sample{What: "bed: start calls returned, links laid, all steered (but for the first, on the site of the one before)"},
		Theirs: Sample{What: "plain: start calls returned"},
	}
	ready := Comparison{
		What: fmt.Sprintf("%d nodes registered", nodes), Aim: bedRatio,
		Ours:   Sample{What: "bed: harness.Start"},
		Theirs: Sample{What: "plain: parallel docker run, then the supernode counts all"},
	}
	rest := Comparison{What: "of this, from started to registered", Ours: Sample{What: "bed: gates opened, all counted, namespaces read"}, Theirs: Sample{What: "plain: all counted"}}
	take := func(whole, part, between *Sample, start, started time.Time) {
		now := time.Now()
		part.add(started.Sub(start))
		whole.add(now.Sub(start))
		between.add(now.Sub(started))
	}
	err := turns(m.rounds, func(int) error {
		return onBed(func(tb testing.TB) error {
			tb.Helper()
			start := time.Now() // what follows is harness.Start in its three steps
			bed := harness.Lay(ctx, tb, m.topology)
			started := time.Now()
			bed.Open(ctx)
			bed.AwaitReady(ctx)
			take(&ready.Ours, &laid.Ours, &rest.Ours, start, started)
			return nil
		})
	}, func(int) error {
		start := time.Now()
		p, err := m.startPlain(ctx, m.session.System, m.topology)
		started := time.Now()
		if err == nil {
			err = p.awaitReady(ctx)
		}
		if err == nil {
			take(&ready.Theirs, &laid.Theirs, &rest.Theirs, start, started)
		}
		return errors.Join(err, p.stop(ctx))
	})
	return []Comparison{ready, laid, rest}, err
}
