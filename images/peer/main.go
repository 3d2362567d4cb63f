// Command peer is a node of the reference swarm: the daemon, also as a seed, and its
// clients dfget and preheat. It is configured by flags only, so that its container
// shows how it runs. Exit codes: 0 done, 1 failed, 64 bad usage; dfget has more, see
// its help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/dfget"
)

// defaultSocket is where daemon and clients meet.
const defaultSocket = "/run/swarm.sock"

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// failure is an error that has an exit code of its own.
type failure struct {
	code int
	error
}

func (f failure) Unwrap() error { return f.error }

// badUsage is an error in what was asked: nothing was tried.
func badUsage(format string, args ...any) error {
	return failure{dfget.ExitBadUsage, fmt.Errorf(format, args...)}
}

// run is the command without its process; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "peer", Short: "Node of the reference swarm", Version: swarm.Release,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	started := false // whatever fails before a command runs is about its arguments
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	get := dfgetCommand()                                                    //nolint:contextcheck // commands get their context when they are executed
	get.AddCommand(doctorCommand())                                          //nolint:contextcheck // as above
	root.AddCommand(daemonCommand(), get, preheatCommand(), doctorCommand()) //nolint:contextcheck // as above
	err := root.ExecuteContext(ctx)
	var f failure
	switch {
	case err == nil:
		return dfget.ExitOK
	case errors.As(err, &f):
	case started:
		f.code = dfget.ExitFailed
	default:
		f.code = dfget.ExitBadUsage
	}
	_, _ = fmt.Fprintln(stderr, "peer:", err)
	return f.code
}
