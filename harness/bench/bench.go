// Package bench measures what a bed costs against plain Docker: how long it takes to
// be ready, how long a fault takes to be in force and proven, and what a byte loses on
// its way through a steered link; and what the reference swarm costs against plain HTTP, in
// time and in memory. Both sides of a comparison take turns in one run on
// one machine, so that their ratio holds where their times do not.
//
//	report, err := bench.Run(ctx, session, nil, 5, progress)
//	err = report.Table(os.Stdout)
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	figures  []Figure
}

// part is one group of measurements, which can be asked for alone.
type part struct {
	name    string
	measure func(*meter, context.Context) ([]Comparison, error)
}

var parts = []part{
	{"beds", (*meter).beds},
	{"steering", (*meter).steering},
	{"faults", (*meter).faults},
	{"downloads", (*meter).downloads},
	{"fan-out", (*meter).fanOut},
	{"joins", (*meter).joins},
	{"idle", (*meter).idle},
	{"crowd", (*meter).crowd},
}

// Parts names what can be measured, in that order.
func Parts() []string {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// Run measures those parts, or everything when none is named, with that many pairs of beds
// and five times as many faults. The session has to be the one in use. progress gets a line
// for each part that begins.
func Run(ctx context.Context, s *harness.Session, only []string, rounds int, progress func(line string)) (Report, error) {
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
	for _, p := range parts {
		if len(only) > 0 && !slices.Contains(only, p.name) {
			continue
		}
		compared, err := p.measure(m, ctx)
		if err != nil {
			return report, fmt.Errorf("benchmark of %s: %w", p.name, err)
		}
		report.Comparisons = append(report.Comparisons, compared...)
	}
	report.Figures = m.figures
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

// rotate is one turn of any number of sides; another begins in each.
func rotate(turn int, sides ...func() error) error {
	for i := range sides {
		if err := sides[(turn+i)%len(sides)](); err != nil {
			return err
		}
	}
	return nil
}
