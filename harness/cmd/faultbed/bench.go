package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/bench"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
)

// benchRounds is how many pairs of beds make a benchmark that takes some three minutes
// on two cores.
const benchRounds = "7"

func newBench() *cobra.Command {
	var rounds, out string
	var parts []string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure beds, faults and downloads against plain Docker",
		Long: "Measure beds, faults and downloads against plain Docker, both in turns and in one run.\n\n" +
			"Prints a table, and writes bench.json with every single time.",
		Args: noMore,
		RunE: interruptible(func(_ *cobra.Command, i *interruption, s *screen) error {
			return measure(i.asked, parts, rounds, out, s)
		}),
	}
	cmd.Flags().StringVar(&rounds, "rounds", benchRounds, "pairs of beds; faults and requests grow with them")
	cmd.Flags().StringSliceVar(&parts, "parts", nil, "measure only these: "+strings.Join(bench.Parts(), ", "))
	cmd.Flags().StringVar(&out, "out", "", "`folder` for bench.json (default: out in the project)")
	return cmd
}

// knownParts refuses what no part of the benchmark is called.
func knownParts(names []string) error {
	for _, name := range names {
		if !slices.Contains(bench.Parts(), name) {
			return usage("part %q of the benchmark is unknown: use some of %s", name, strings.Join(bench.Parts(), ", "))
		}
	}
	return nil
}

// measure checks everything, then opens a session and runs the benchmark on it.
func measure(ctx context.Context, parts []string, rounds, out string, s *screen) (err error) {
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	n, roundsErr := atLeastOne("rounds", rounds, 1)
	out, outErr := folder(cmp.Or(out, filepath.Join(root, "out")))
	if err := errors.Join(knownParts(parts), roundsErr, outErr); err != nil {
		return first(err)
	}
	engine, _, err := ready(ctx, s)
	if err != nil {
		return err
	}
	_ = engine.Close() // idle connections, nothing to lose; the session has its own
	progress := func(line string) { s.say("%s", line) }
	session, _, err := harness.Open(ctx, harness.Options{
		Unsampled: true,
		RunDir:    filepath.Join(out, "bench"), System: "reference", Profile: "fast", Repeat: 1,
	}, progress)
	if err != nil {
		return infra(err)
	}
	harness.Use(session)
	measured, err := bench.Run(ctx, session, parts, n, progress)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), harness.BedStop)
	defer cancel()
	if err := errors.Join(err, session.Close(closing)); err != nil {
		return infra(err)
	}
	s.say("")
	path := filepath.Join(out, "bench.json")
	if err := errors.Join(measured.Table(s.out), os.MkdirAll(out, 0o755), history.Write(path, measured)); err != nil {
		return infra(err)
	}
	s.say("\n%d rounds in %.1f s: %s", n, float64(measured.WallMS)/1000, shortest(path))
	return nil
}
