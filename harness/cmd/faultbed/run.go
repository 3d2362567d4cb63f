package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
)

// How many scenarios run at once when the user does not say. They wait half of their time:
// with two for each CPU a tenth of it was idle, with three nothing (2 CPUs: 768 and 672 s).
// All share one engine, and more than procsAtMost would wait for it.
const (
	procsPerCPU = 3
	procsAtMost = 6
)

// saySlow is how long the compiler works in silence.
const saySlow = 3 * time.Second

func newRun() *cobra.Command {
	var w words
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run scenarios and judge them",
		Long: "Run scenarios and judge them.\n\nExit status: 0 all PASS, KNOWN or N/A, 1 some FAIL, 2 none failed but some\n" +
			"INCONCLUSIVE, or all are N/A, 3 the machine or the harness failed (INFRA), 64 bad usage,\n" +
			"130 interrupted.",
		Args: noMore,
		RunE: interruptible(func(_ *cobra.Command, i *interruption, s *screen) error { return w.run(i, s) }),
	}
	w.register(cmd.Flags())
	return cmd
}

// run checks everything, then starts something.
func (w words) run(i *interruption, s *screen) error {
	started := time.Now()
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	o, err := w.parse(root)
	if err != nil {
		return err
	}
	_, err = o.perform(i, s, root, started)
	return err
}

// perform runs what the options choose. The runner is nil if nothing was begun.
func (o options) perform(i *interruption, s *screen, root string, started time.Time) (*runner, error) {
	ctx := i.asked
	engine, info, err := ready(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = engine.Close() }() // idle connections, nothing to lose
	images, err := o.images(ctx, engine)
	if err != nil {
		return nil, err
	}
	compiled, chosen, err := choose(ctx, root, o, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = compiled.remove() }() // in the temporary folder
	o.procs = min(cmp.Or(o.procs, procsOn(info)), len(chosen))
	r := &runner{
		options: o, suite: compiled, chosen: chosen, engine: engine, tell: s.ended,
		run: o.begin(started, info),
	}
	return r, r.all(i, images, s)
}

// begin is what run.json says of a run before anything has run.
func (o options) begin(started time.Time, info cluster.Info) history.Run {
	return history.Run{
		Seed: o.seed, System: o.system, Release: o.release, Given: slices.Sorted(maps.Keys(o.given)), Profile: o.profile,
		Started: started, Host: hostOf(info),
	}
}

func hostOf(info cluster.Info) history.Host {
	return history.Host{Kernel: info.Kernel, Engine: info.Version, CPUs: info.CPUs, MemoryBytes: info.MemoryBytes}
}

func procsOn(info cluster.Info) int { return min(procsPerCPU*max(info.CPUs, 1), procsAtMost) }

// ready connects to the engine and refuses a machine that cannot carry a bed.
func ready(ctx context.Context, s *screen) (*cluster.Engine, cluster.Info, error) {
	engine, err := cluster.Connect(ctx)
	if err != nil {
		return nil, cluster.Info{}, infra(err)
	}
	info, err := engine.Info(ctx)
	if err != nil {
		return nil, info, infra(err)
	}
	var fatal []error
	for _, p := range harness.Preflight(ctx, engine) {
		if p.Fatal {
			fatal = append(fatal, errors.New(p.String()))
		} else {
			s.say("note: %s", p)
		}
	}
	if len(fatal) > 0 {
		return nil, info, infra(errors.Join(fatal...))
	}
	return engine, info, nil
}

// choose compiles the suite and picks what the filters want.
func choose(ctx context.Context, root string, o options, s *screen) (*suite, []spec, error) {
	issues, err := knownIssues(root)
	if err != nil {
		return nil, nil, err
	}
	start := time.Now()
	slow := time.AfterFunc(saySlow, func() { s.say("compiling the suite") })
	compiled, err := compileSuite(ctx, root)
	if !slow.Stop() {
		s.say("compiling the suite ... %.1f s", time.Since(start).Seconds())
	}
	if err != nil {
		return nil, nil, infra(err)
	}
	compiled.env = o.wishes()
	specs, err := compiled.list(ctx, o.labels, o.focus)
	if err == nil {
		err = checkLabels(o.labels, specs)
	} else {
		err = infra(err)
	}
	if err == nil {
		err = concern(issues, specs)
	}
	chosen := selected(specs)
	if err == nil && len(chosen) == 0 {
		err = usage("labels %q and focus %q select none of %d scenarios: see faultbed list", o.labels, o.focus, len(specs))
	}
	if err != nil {
		return nil, nil, errors.Join(err, compiled.remove())
	}
	return compiled, chosen, nil
}
