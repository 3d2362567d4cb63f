package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/mutant"
)

func newMutants() *cobra.Command {
	var w mutantWords
	cmd := &cobra.Command{
		Use:   "mutants",
		Short: "Break the swarm on purpose, and see that the suite notices",
		Long: "Break the swarm on purpose, mutant by mutant of fixtures/mutants, and see that the suite\n" +
			"notices: that the scenarios that declare a mutant, with kills(), FAIL for the right reason.\n" +
			"A mutant that none of them kills, or that none declares, is met by the whole suite until\n" +
			"something kills it.\n\nExit status: 0 all were killed as declared, 1 a mutant or a declared pair was not,\n" +
			"3 the machine or the harness kept some from being judged, 64 bad usage, 130 interrupted.",
		Args: noMore,
		RunE: interruptible(func(_ *cobra.Command, i *interruption, s *screen) error { return w.run(i, s) }),
	}
	w.register(cmd.Flags())
	return cmd
}

// mutantWords are the flags of mutants as they were typed.
type mutantWords struct {
	mutant, matrix, sample, procs, seed, out string
}

func (w *mutantWords) register(flags *pflag.FlagSet) {
	flags.StringVar(&w.mutant, "mutant", "", "only the mutant of this `name`")
	flags.StringVar(&w.matrix, "matrix", mutant.Declares, "declared: the pairs that scenarios declare; full: every scenario against every mutant")
	flags.StringVar(&w.sample, "sample", "", "only `n` declared mutants, drawn by the commit that is checked out")
	flags.StringVar(&w.procs, "procs", "", "mutants at once (default: as many as the engine has CPUs, at most 6)")
	flags.StringVar(&w.seed, "seed", "", "seed of all that is random (default: a new one, printed)")
	flags.StringVar(&w.out, "out", "", "`folder` for mutants.json, mutants.md and the mutants' runs (default: out in the project)")
}

// mutantOptions are what mutantWords say.
type mutantOptions struct {
	full          bool
	sample, procs int // 0 for none, and by the engine's CPUs
	seed          int64
	out           string // absolute
	all           []mutant.Mutant
	chosen        []mutant.Mutant // before a sample is drawn
}

// parse looks at all that can be judged without an engine and without the suite.
func (w mutantWords) parse(root string) (mutantOptions, error) {
	all, mutantsErr := mutant.Read(os.DirFS(root))
	if mutantsErr != nil {
		mutantsErr = usage("%s", strings.ReplaceAll(mutantsErr.Error(), "\n", "\nfaultbed: "))
	}
	o := mutantOptions{full: w.matrix == mutant.Full, all: all, chosen: all}
	err := oneOf("matrix", w.matrix, mutant.Declares, mutant.Full)
	var sampleErr, procsErr, seedErr, outErr error
	o.sample, sampleErr = atLeastOne("sample", w.sample, 0)
	o.procs, procsErr = atLeastOne("procs", w.procs, 0)
	o.seed, seedErr = seedFrom(w.seed)
	o.out, outErr = folder(cmp.Or(w.out, filepath.Join(root, "out")))
	if err := errors.Join(err, sampleErr, procsErr, seedErr, outErr, w.clash(o), mutantsErr); err != nil {
		return o, first(err)
	}
	if w.mutant != "" {
		o.chosen = slices.DeleteFunc(slices.Clone(all), func(m mutant.Mutant) bool { return m.Name != w.mutant })
		if len(o.chosen) == 0 {
			return o, usage("mutant %q is not in %s: choose from %s", w.mutant, mutant.Folder, strings.Join(namesOf(all), ", "))
		}
	}
	return o, nil
}

// clash refuses what cannot be asked for together.
func (w mutantWords) clash(o mutantOptions) error {
	switch {
	case w.sample != "" && w.mutant != "":
		return usage("sample %q and mutant %q: a sample is drawn from all: leave one out", w.sample, w.mutant)
	case w.sample != "" && o.full:
		return usage("sample %q and matrix full: a sample runs declared pairs only: leave one out", w.sample)
	}
	return nil
}

func namesOf(mutants []mutant.Mutant) []string {
	var names []string
	for _, m := range mutants {
		names = append(names, m.Name)
	}
	return names
}

// run checks everything, then starts something.
func (w mutantWords) run(i *interruption, s *screen) error {
	started := time.Now()
	ctx := i.asked
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	o, err := w.parse(root)
	if err != nil {
		return err
	}
	if len(o.all) == 0 {
		s.say("no mutants in %s: nothing to do", mutant.Folder)
		return nil
	}
	engine, info, err := ready(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // idle connections, nothing to lose
	compiled, specs, err := choose(ctx, root, options{}, s)
	if err != nil {
		return err
	}
	defer func() { _ = compiled.remove() }() // in the temporary folder
	if err := declare(o.all, specs); err != nil {
		return err
	}
	commit := commitOf(ctx, root)
	if o.sample > 0 {
		if o.chosen = o.draw(specs, commit, s); len(o.chosen) == 0 {
			return nil
		}
	}
	t := newTrials(o, specs, info, s)
	t.report = mutant.Report{
		Seed: o.seed, Commit: commit, Matrix: w.matrix, Of: len(o.all), Sample: o.sample,
		Started: started, Host: hostOf(info),
	}
	if t.stage, err = stageOn(ctx, o, compiled, engine, info, t.atOnce, s); err != nil {
		return infra(err)
	}
	s.say("mutants: %d of %d, %d at once, %s pairs, seed %d", len(o.chosen), len(o.all), t.atOnce, w.matrix, o.seed)
	t.all(i)
	return t.close(i)
}

// declare refuses scenarios that declare what is not there, all of them at once.
func declare(mutants []mutant.Mutant, specs []spec) error {
	var wrong []error
	for _, s := range specs {
		wrong = append(wrong, mutant.Known(mutants, s.labels, s.location))
	}
	if err := errors.Join(wrong...); err != nil {
		return usage("%s", strings.ReplaceAll(err.Error(), "\n", "\nfaultbed: "))
	}
	return nil
}

// draw is the sample. One that nobody declares has no pairs to be run.
func (o mutantOptions) draw(specs []spec, commit string, s *screen) []mutant.Mutant {
	var declared []mutant.Mutant
	for _, m := range o.all {
		if slices.ContainsFunc(specs, func(s spec) bool { return s.declares(m.Name) }) {
			declared = append(declared, m)
		}
	}
	by := "commit " + commit
	if commit == "" {
		commit = strconv.FormatInt(o.seed, 10)
		by = "seed " + commit + ", as there is no commit"
	}
	drawn := mutant.Sample(declared, o.sample, commit)
	if len(drawn) == 0 {
		s.say("no scenario declares a mutant: nothing to do")
		return nil
	}
	s.say("sample of %d mutants, drawn by %s: %s", len(drawn), by, strings.Join(namesOf(drawn), ", "))
	return drawn
}

// declares says whether the scenario must kill the mutant of that name.
func (s spec) declares(name string) bool { return slices.Contains(mutant.Declared(s.labels), name) }

// commitOf is the commit that is checked out, "" where that cannot be told.
func commitOf(ctx context.Context, root string) string {
	cmd := exec.CommandContext(ctx, "git", "rev-parse", "HEAD")
	cmd.Dir = root
	output, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(output))
}
