// Command faultbed is the command line behind the Makefile: it checks what it is
// asked before anything starts, builds images, runs the suite through ginkgo while
// saying how each scenario ends, and leaves a run's folder behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/report"
)

func main() {
	harness.Undertake()
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// exit is an error with the status that it ends the process with. An exit without
// an error inside says nothing: all has been said.
type exit struct {
	status int
	error
}

func (e exit) Unwrap() error { return e.error }

func (e exit) Error() string {
	if e.error == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.error.Error()
}

// usage is what the user got wrong, in the form "what: what to do".
func usage(format string, args ...any) error {
	return exit{report.ExitUsage, fmt.Errorf(format, args...)}
}

// infra is what the machine lacks, in the same form.
func infra(err error) error { return exit{report.ExitInfra, err} }

// execute runs the command line and returns its exit status. Whatever goes wrong is
// said on standard error in lines that begin with "faultbed: ".
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot() //nolint:contextcheck // cobra hands ctx on to the commands
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return report.ExitPass
	}
	end := exit{status: report.ExitInfra, error: err}
	errors.As(err, &end)
	if end.error != nil {
		fmt.Fprintf(stderr, "faultbed: %s\n", strings.TrimSpace(err.Error()))
	}
	return end.status
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "faultbed",
		Short:         "Break the network between real containers, and judge what the swarm does",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noMore,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w: see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newRun(), newList(), newDoctor(), newImages(), newBench(), newBed(), newClean(), newDeadmen(), newJudge(), newReport(), newCompare(), newMutants(), newExplore())
	return root
}

// noMore refuses arguments that no command knows.
func noMore(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage("unknown argument %q: see %s --help", args[0], cmd.CommandPath())
}
