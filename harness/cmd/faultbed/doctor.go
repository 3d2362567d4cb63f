package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/report"
)

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can and cannot inject, with the fix",
		Args:  noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			said := newScreen(cmd.ErrOrStderr())
			probe := harness.ProbeKernel(func(line string) { said.say("%s", line) })
			return examine(cmd.Context(), cmd.OutOrStdout(), probe)
		},
	}
}

// examine prints what the machine is and what stands in the way of a run. It ends in
// INFRA when something does.
func examine(ctx context.Context, to io.Writer, probe harness.Probe) error {
	engine, err := cluster.Connect(ctx)
	if err != nil {
		return infra(err)
	}
	defer func() { _ = engine.Close() }() // idle connections, nothing to lose
	info, err := engine.Info(ctx)
	if err != nil {
		return infra(err)
	}
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	where := "remote"
	if info.Local {
		where = "local"
	}
	fmt.Fprintf(out, "go\t%s\n", runtime.Version())
	fmt.Fprintf(out, "engine\t%s, API %s, %s\n", info.Version, info.API, where)
	fmt.Fprintf(out, "kernel\t%s, %s\n", info.Kernel, info.Arch)
	fmt.Fprintf(out, "machine\t%d CPUs, %d MiB\n", info.CPUs, info.MemoryBytes>>20)

	var can map[string]string
	problems := harness.Preflight(ctx, engine, func(ctx context.Context) (map[string]string, error) {
		var err error
		can, err = probe(ctx)
		return can, err
	})
	for _, name := range slices.Sorted(maps.Keys(can)) {
		fmt.Fprintf(out, "%s\t%s\n", name, can[name])
	}
	if can != nil {
		listFaults(out, can)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return diagnose(to, problems)
}

// listFaults says of each fault whether it can be injected here.
func listFaults(out io.Writer, can map[string]string) {
	for _, f := range fault.Catalogue {
		verdict := "yes: " + f.Does
		for _, need := range f.Needs {
			if can[need] != "yes" {
				verdict = fmt.Sprintf("not here, or not all of it: the kernel lacks %s (%s)", need, cmp.Or(can[need], "not tried"))
			}
		}
		if f.Never != "" {
			verdict = "no: " + f.Never
		}
		fmt.Fprintf(out, "fault %s\t%s\n", f.Kind, verdict)
	}
}

// diagnose prints problems, and is an error when one of them stops a run.
func diagnose(to io.Writer, problems []harness.Problem) error {
	fatal := false
	for _, p := range problems {
		kind := "note"
		if p.Fatal {
			kind, fatal = "PROBLEM", true
		}
		fmt.Fprintf(to, "%s: %s\n", kind, p)
	}
	if fatal {
		return exit{status: report.ExitInfra}
	}
	fmt.Fprintln(to, "this machine can run the scenarios")
	return nil
}
