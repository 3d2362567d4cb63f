package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness/cluster"
)

func newImages() *cobra.Command {
	return &cobra.Command{
		Use:   "images",
		Short: "Build the images under images/ as far as the engine lacks them",
		Args:  noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			engine, err := cluster.Connect(cmd.Context())
			if err != nil {
				return infra(err)
			}
			defer func() { _ = engine.Close() }() // idle connections, nothing to lose
			said := newScreen(cmd.ErrOrStderr())
			set, err := engine.BuildImages(cmd.Context(), func(line string) { said.say("%s", line) })
			if err != nil {
				return infra(err)
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, key := range slices.Sorted(maps.Keys(set)) {
				fmt.Fprintf(out, "%s\t%s\n", key, set[key])
			}
			return out.Flush()
		},
	}
}
