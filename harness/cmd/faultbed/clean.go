package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness/cluster"
)

// cleaning is what clean is asked to take away.
type cleaning struct {
	dryRun    bool
	all       bool
	olderThan time.Duration
}

func newClean() *cobra.Command {
	var c cleaning
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed runs left on the engine, and images that are superseded",
		Args:  noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.olderThan < 0 {
				return usage("older-than %s is no age: give one such as 1h", c.olderThan)
			}
			engine, err := cluster.Connect(cmd.Context())
			if err != nil {
				return infra(err)
			}
			defer func() { _ = engine.Close() }() // idle connections, nothing to lose
			if err := c.clean(cmd.Context(), engine, cmd.OutOrStdout()); err != nil {
				return infra(err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "say what would be removed, remove nothing")
	cmd.Flags().BoolVar(&c.all, "all", false, "also what belongs to runs that are under way")
	cmd.Flags().DurationVar(&c.olderThan, "older-than", 0, "only what is older than this, such as 1h")
	return cmd
}

func (c cleaning) clean(ctx context.Context, engine *cluster.Engine, to io.Writer) error {
	everything, err := engine.Leftovers(ctx)
	if err != nil {
		return err
	}
	stale, err := engine.StaleImages(ctx, c.all)
	if err != nil {
		return err
	}
	now := time.Now()
	chosen := c.choose(everything, now)
	doomed := slices.Concat(chosen, c.old(stale, now))
	verb := "remove"
	if c.dryRun {
		verb = "would remove"
	}
	for _, l := range doomed {
		session := ""
		if l.Session != "" {
			session = " of session " + l.Session
		}
		fmt.Fprintf(to, "%s %s %s%s\n", verb, l.Kind, l.Name, session)
	}
	if kept := len(everything) - len(chosen); kept > 0 {
		fmt.Fprintf(to, "kept %d containers and networks of runs that are under way or too young\n", kept)
	}
	if len(doomed) == 0 {
		fmt.Fprintln(to, "nothing to remove")
	}
	if c.dryRun {
		return nil
	}
	return engine.Remove(ctx, doomed)
}

// choose keeps of a list what is to go: of dead sessions, unless all are asked for.
func (c cleaning) choose(everything []cluster.Leftover, now time.Time) []cluster.Leftover {
	if !c.all {
		everything = cluster.Dead(everything)
	}
	return c.old(everything, now)
}

func (c cleaning) old(some []cluster.Leftover, now time.Time) []cluster.Leftover {
	return slices.DeleteFunc(slices.Clone(some), func(l cluster.Leftover) bool {
		return now.Sub(l.Created) < c.olderThan
	})
}
