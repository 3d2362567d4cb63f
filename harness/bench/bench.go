// Package bench measures what a bed costs against plain Docker: how long it takes to
// be ready, how long a fault takes to be in force and proven, and what a byte loses on
// its way through a steered link. Both sides of a comparison take turns in one run on
// one machine, so that their ratio holds where their times do not.
//
//	report, err := bench.Run(ctx, session, 5, progress)
//	err = report.Table(os.Stdout)
package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// The bed of all comparisons: eight nodes that register, two of them seeds.
const (
	nodes = 8
	seeds = 2
)

// meter is one run of the benchmark.
type meter struct {
	session  *harness.Session
	topology topology.Topology
	rounds   int
	started  int // containers of our own, for their names
	progress func(line string)
}

// Run measures everything, with that many pairs of beds and five times as many faults.
// The session has to be the one in use. progress gets a line for each part that begins.
func Run(ctx context.Context, s *harness.Session, rounds int, progress func(line string)) (Report, error) {
	t, err := topology.New(nodes, seeds)
	if err != nil {
		return Report{}, err
	}
	info, err := s.Engine.Info(ctx)
	if err != nil {
		return Report{}, err
	}
	started := time.Now()
	report := Report{
		Started: started, Rounds: rounds,
		Host: history.Host{Kernel: info.Kernel, Engine: info.Version, CPUs: info.CPUs, MemoryBytes: info.MemoryBytes},
	}
	m := &meter{session: s, topology: t, rounds: rounds, progress: progress}
	for _, part := range []func(context.Context) ([]Comparison, error){m.beds, m.steering, m.faults, m.downloads} {
		compared, err := part(ctx)
		if err != nil {
			return report, fmt.Errorf("benchmark: %w", err)
		}
		report.Comparisons = append(report.Comparisons, compared...)
	}
	report.WallMS = time.Since(started).Milliseconds()
	return report, nil
}

// onBed runs measure with a TB for the one bed that it lays. A bed that is not PASS has
// measured nothing.
func onBed(measure func(tb testing.TB) error) error {
	var failed error
	verdict, reason := harness.Alone("benchmark", func(tb testing.TB) { tb.Helper(); failed = measure(tb) })
	if failed == nil && verdict != history.Pass {
		failed = errors.New(string(verdict) + ": " + reason)
	}
	return failed
}

// turns lets ours and theirs take turns, and each begin every other time: whatever
// else the machine does meets both alike.
func turns(n int, ours, theirs func(turn int) error) error {
	for turn := range n {
		first, second := ours, theirs
		if turn%2 == 1 {
			first, second = theirs, ours
		}
		if err := first(turn); err != nil {
			return err
		}
		if err := second(turn); err != nil {
			return err
		}
	}
	return nil
}
