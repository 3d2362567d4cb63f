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
	"github.com/faultbed/faultbed/harness/mutant"
)

func newList() *cobra.Command {
	var labels, focus string
	var kills bool
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
			return printSpecs(cmd.OutOrStdout(), chosen, kills)
		},
	}
	cmd.Flags().StringVar(&labels, "labels", "", "list scenarios whose labels match this ginkgo label `filter`")
	cmd.Flags().StringVar(&focus, "focus", "", "list scenarios whose name matches this `regexp`")
	cmd.Flags().BoolVar(&kills, "kills", false, "also say which mutants they must kill")
	return cmd
}

// printSpecs prints a line per scenario, in the order of the files: its name and its
// labels, last those that declare mutants, if those are wanted.
func printSpecs(to io.Writer, specs []spec, kills bool) error {
	specs = slices.Clone(specs)
	slices.SortStableFunc(specs, func(a, b spec) int {
		return cmp.Compare(fileOf(a.location), fileOf(b.location))
	})
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, s := range specs {
		labels, declared := split(s.labels)
		if kills {
			labels = append(labels, declared...)
		}
		fmt.Fprintf(out, "%s\t%s\n", s.name, strings.Join(labels, ", "))
	}
	return out.Flush()
}

// split sets labels apart that declare mutants: there can be many of them.
func split(labels []string) (others, declared []string) {
	for _, label := range labels {
		if strings.HasPrefix(label, mutant.Label) {
			declared = append(declared, label)
		} else {
			others = append(others, label)
		}
	}
	return others, declared
}

func fileOf(location string) string {
	file, _, _ := strings.Cut(location, ":")
	return file
}
