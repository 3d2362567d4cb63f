package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/deadmen"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// killing is what deadmen was asked for, as it was typed.
type killing struct {
	target
	kills, strikes, pairs, seed, out string
	scenarios                        []string
}

func newDeadmen() *cobra.Command {
	var k killing
	cmd := &cobra.Command{
		Use:   "deadmen",
		Short: "Kill runs at random moments, and look for what they leave",
		Long: "Kill runs at random moments, and look for what they leave on the engine and its host:\n" +
			"containers, networks, volumes, rules, interfaces, routes, sysctls, namespaces, mounts,\n" +
			"processes. Nothing may be left 15 s later. The engine must be otherwise idle: the trial\n" +
			"waits for others. Rules can be read by root only.\n\n" +
			"Prints a table, and writes deadmen.json with every single kill.\n\n" +
			"Exit status: 0 nothing was left, 1 something was, with a line for each, 3 the trial\n" +
			"could not be made, 64 bad usage, 130 interrupted.",
		Args: noMore,
		RunE: interruptible(func(cmd *cobra.Command, i *interruption, s *screen) error {
			return k.kill(i.asked, cmd.Flags(), s)
		}),
	}
	k.register(cmd.Flags())
	cmd.Flags().StringVar(&k.kills, "kills", "40", "kills of the harness, spread over the phases of a run")
	cmd.Flags().StringVar(&k.strikes, "faultd", "3", "kills of faultd")
	cmd.Flags().StringVar(&k.pairs, "pairs", "1", "runs side by side with one that is killed")
	cmd.Flags().StringVar(&k.seed, "seed", "", "seed of all that is random (default: a new one, printed)")
	cmd.Flags().StringArrayVar(&k.scenarios, "scenario", deadmen.Scenarios, "full `name` of a scenario to kill; may be given again")
	cmd.Flags().StringVar(&k.out, "out", "", "`folder` for deadmen.json and the runs (default: out in the project)")
	return cmd
}

// kill checks everything, then makes the trial.
func (k killing) kill(ctx context.Context, flags *pflag.FlagSet, s *screen) error {
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	_, underErr := k.parse()
	kills, killsErr := number("kills", k.kills)
	strikes, strikesErr := number("faultd", k.strikes)
	pairs, pairsErr := number("pairs", k.pairs)
	seed, seedErr := seedFrom(k.seed)
	out, outErr := folder(cmp.Or(k.out, filepath.Join(root, "out")))
	if err := errors.Join(underErr, killsErr, strikesErr, pairsErr, seedErr, outErr); err != nil {
		return first(err)
	}
	if min(kills, strikes, pairs) < 0 {
		return usage("kills %d, faultd %d, pairs %d: none can be negative", kills, strikes, pairs)
	}
	engine, _, err := ready(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // idle connections, nothing to lose
	self, err := os.Executable()
	if err != nil {
		return infra(err)
	}
	runs, err := os.MkdirTemp("", "faultbed-deadmen-")
	if err := errors.Join(err, os.MkdirAll(out, 0o755)); err != nil {
		return infra(err)
	}
	trial := deadmen.Trial{
		Faultbed: self, Engine: engine, Out: runs, Scenarios: k.scenarios,
		Kills: kills, Strikes: strikes, Pairs: pairs, Seed: seed, Arguments: k.typed(flags), Say: s.say,
	}
	s.say("%d kills, %d of faultd, %d beside another run; seed %d", kills, strikes, pairs, seed)
	result, err := trial.Run(ctx)
	s.say("")
	for _, section := range slices.Sorted(maps.Keys(result.Missing)) {
		s.say("not compared: %s: %s", section, result.Missing[section])
	}
	s.say("compared: %s", strings.Join(result.Compared, ", "))
	s.say("")
	path := filepath.Join(out, "deadmen.json")
	err = errors.Join(err, result.Table(s.out), history.Write(path, result))
	faults := result.Faults()
	for _, line := range faults {
		s.say("%s", line)
	}
	s.say("\n%.0f s: %s", float64(result.WallMS)/1000, shortest(path))
	s.say("again: make deadmen N=%d SEED=%d", kills, seed)
	switch {
	case len(faults) > 0:
		s.say("the runs: %s", runs)
		return exit{status: report.ExitFail}
	case err != nil && ctx.Err() == nil:
		s.say("the runs: %s", runs)
		return infra(err)
	case err != nil:
		return errors.Join(infra(err), os.RemoveAll(runs))
	}
	return os.RemoveAll(runs)
}

// typed are the flags that say what is under test, for the runs.
func (k killing) typed(flags *pflag.FlagSet) []string {
	var own target
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.register(known)
	var words []string
	known.VisitAll(func(f *pflag.Flag) {
		if given := flags.Lookup(f.Name); given.Changed {
			words = append(words, fmt.Sprintf("--%s=%s", f.Name, given.Value))
		}
	})
	return words
}
