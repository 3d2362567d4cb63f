package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/mutant"
	"github.com/faultbed/faultbed/harness/system/reference"
)

// stage is where mutants are built and met by scenarios.
type stage interface {
	// build makes the mutant's images, and remove takes them away, whatever became of build.
	build(ctx context.Context, m mutant.Mutant) (cluster.ImageSet, error)
	remove(ctx context.Context, m mutant.Mutant) error
	// play runs the scenarios of an act in a run of their own, in a folder, and tells each
	// as it ends.
	play(i *interruption, m mutant.Mutant, images cluster.ImageSet, a act, dir func(string), tell func(history.Scenario)) error
}

// act is a choice of scenarios: those, and a filter of labels that selects the same.
type act struct {
	chosen []spec
	filter string
}

// trials judge mutants, some at once, while the next one is built.
type trials struct {
	options mutantOptions
	specs   []spec
	atOnce  int
	stage   stage
	screen  *screen

	mu     sync.Mutex // what follows, and the screen
	report mutant.Report
}

func newTrials(o mutantOptions, specs []spec, info cluster.Info, s *screen) *trials {
	t := &trials{options: o, specs: specs, screen: s}
	t.atOnce = min(o.procs, len(o.chosen))
	if o.procs == 0 {
		t.atOnce = min(max(info.CPUs, 1), procsAtMost, len(o.chosen))
	}
	return t
}

// built is a mutant that is ready to be met, or could not be built.
type built struct {
	number int // from 1
	mutant mutant.Mutant
	images cluster.ImageSet
	took   time.Duration
	err    error
}

// all judges the mutants that were chosen. Those that an interruption kept from being
// judged are not in the report.
func (t *trials) all(i *interruption) {
	var work sync.WaitGroup
	ready := make(chan built) // each waits here, built, until there is room for it
	work.Go(func() {
		defer close(ready)
		for n, m := range t.options.chosen {
			if i.happened() {
				return
			}
			start := time.Now()
			images, err := t.stage.build(i.asked, m)
			ready <- built{number: n + 1, mutant: m, images: images, took: time.Since(start), err: err}
		}
	})
	for range t.atOnce {
		work.Go(func() {
			for b := range ready {
				t.meet(i, b)
			}
		})
	}
	work.Wait()
	slices.SortFunc(t.report.Mutants, func(a, b mutant.Result) int { return strings.Compare(a.Name, b.Name) })
}

// meet judges a mutant that was built, and removes what was built of it.
func (t *trials) meet(i *interruption, b built) {
	start := time.Now()
	one := &trial{trials: t, built: b, result: mutant.New(b.mutant)}
	if b.err != nil {
		one.trouble(fmt.Errorf("it could not be built: %w", b.err))
	} else {
		one.run(i)
	}
	removing, cancel := context.WithTimeout(context.WithoutCancel(i.asked), harness.BedStop)
	defer cancel()
	if err := t.stage.remove(removing, b.mutant); err != nil {
		one.trouble(fmt.Errorf("its images were left behind: %w", err))
	}
	if i.happened() {
		return
	}
	one.result.BuildMS = b.took.Milliseconds()
	one.result.TookMS = one.result.BuildMS + time.Since(start).Milliseconds()
	result := one.result.Conclude()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Mutants = append(t.report.Mutants, result)
	t.tellMutant(b, result)
}

// declared are the scenarios that must kill a mutant.
func (t *trials) declared(m mutant.Mutant) act {
	return t.act(mutant.Label+m.Name, func(s spec) bool { return s.declares(m.Name) })
}

// others are all other scenarios that judge the swarm: first those that declare a mutant of
// the same source, which are the likeliest to notice.
func (t *trials) others(m mutant.Mutant) []act {
	filter := "!" + mutant.Label + m.Name + " && " + mutant.OfSwarmOnly
	of := func(s spec) bool { return !s.declares(m.Name) && mutant.OfSwarm(s.labels) }
	var labels []string
	for _, other := range t.options.all {
		if other.Name != m.Name && other.Touches(m) {
			labels = append(labels, mutant.Label+other.Name)
		}
	}
	if len(labels) == 0 {
		return []act{t.act(filter, of)}
	}
	near := "(" + strings.Join(labels, " || ") + ")"
	isNear := func(s spec) bool {
		return slices.ContainsFunc(s.labels, func(label string) bool { return slices.Contains(labels, label) })
	}
	return []act{
		t.act(near+" && "+filter, func(s spec) bool { return of(s) && isNear(s) }),
		t.act("!"+near+" && "+filter, func(s spec) bool { return of(s) && !isNear(s) }),
	}
}

// both are all scenarios that judge the swarm, and those that must kill the mutant.
func (t *trials) both(m mutant.Mutant) act {
	return t.act(mutant.Label+m.Name+" || ("+mutant.OfSwarmOnly+")", func(s spec) bool {
		return s.declares(m.Name) || mutant.OfSwarm(s.labels)
	})
}

func (t *trials) act(filter string, choose func(spec) bool) act {
	a := act{filter: filter}
	for _, s := range t.specs {
		if choose(s) {
			a.chosen = append(a.chosen, s)
		}
	}
	return a
}

// ofSwarm are the names of the scenarios that judge the swarm, and can apply to it.
func (t *trials) ofSwarm() ([]string, error) {
	swarm, err := reference.New(nil, "fast")
	if err != nil {
		return nil, err
	}
	session := harness.Session{System: swarm}
	var names []string
	for _, s := range t.specs {
		if mutant.OfSwarm(s.labels) && session.Lacks(s.labels) == "" {
			names = append(names, s.name)
		}
	}
	return names, nil
}

// tellMutant says how a mutant ended.
func (t *trials) tellMutant(b built, r mutant.Result) {
	fate := fmt.Sprintf("killed by %d of %d", len(r.KilledBy), len(r.Pairs))
	switch {
	case r.Trouble != "":
		fate = r.Reason
	case r.Killed():
	case r.Unjudged():
		fate = "not judged"
	default:
		fate = fmt.Sprintf("SURVIVES, met by %d", len(r.Pairs))
	}
	t.screen.say("%s %-*s %s in %.1f s, %.1f s of it to build", t.head(b), t.nameWidth(), r.Name, fate,
		float64(r.TookMS)/1000, float64(r.BuildMS)/1000)
}

// nameWidth is that of the names of mutants.
func (t *trials) nameWidth() int {
	width := 0
	for _, m := range t.options.chosen {
		width = max(width, len(m.Name))
	}
	return width
}

// head begins a line about a mutant.
func (t *trials) head(b built) string {
	all := len(t.options.chosen)
	return fmt.Sprintf("[%*d/%d]", len(fmt.Sprint(all)), b.number, all)
}
