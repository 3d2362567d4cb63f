package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness/cluster"
)

func newList() *cobra.Command {
	var labels, focus string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List scenarios with their labels; starts nothing",
		Args:  noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFilters(labels, focus); err != nil {
				return err
			}
			root, err := cluster.ModuleRoot()
			if err != nil {
				return usage("%w: run faultbed inside one", err)
			}
			// What is said on the way goes beside the list, which may be piped.
			o := options{labels: strings.TrimSpace(labels), focus: focus}
			compiled, chosen, err := choose(cmd.Context(), root, o, newScreen(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer func() { _ = compiled.remove() }() // in the temporary folder
			return printSpecs(cmd.OutOrStdout(), chosen)
		},
	}
	cmd.Flags().StringVar(&labels, "labels", "", "list scenarios whose labels match this ginkgo label `filter`")
	cmd.Flags().StringVar(&focus, "focus", "", "list scenarios whose name matches this `regexp`")
	return cmd
}

// printSpecs prints a line per scenario, in the order of the files.
func printSpecs(to io.Writer, specs []spec) error {
	specs = slices.Clone(specs)
	slices.SortStableFunc(specs, func(a, b spec) int {
		return cmp.Compare(fileOf(a.location), fileOf(b.location))
	})
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, s := range specs {
		fmt.Fprintf(out, "%s\t%s\n", s.name, strings.Join(s.labels, ", "))
	}
	return out.Flush()
}

func fileOf(location string) string {
	file, _, _ := strings.Cut(location, ":")
	return file
}
