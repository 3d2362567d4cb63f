// Command peer is a node of the reference swarm: the daemon, also as a seed, and
// the dfget client. It is configured by flags only, so that its container shows
// how it runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm"
)

// defaultSocket is where daemon and dfget meet.
const defaultSocket = "/run/swarm.sock"

func main() {
	root := &cobra.Command{
		Use: "peer", Short: "Node of the reference swarm", Version: swarm.Release,
		SilenceErrors: true, SilenceUsage: true,
	}
	dfget := dfgetCommand()
	dfget.AddCommand(doctorCommand())
	root.AddCommand(daemonCommand(), dfget, doctorCommand())
	if err := root.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		if errors.Is(err, errUsage) {
			os.Exit(64)
		}
		os.Exit(1)
	}
}
