package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

func dfgetCommand() *cobra.Command {
	var request dfget.Request
	var profile, digest string
	var asJSON, noBackSource bool
	cmd := &cobra.Command{
		Use: "dfget URL -O PATH", Short: "Fetch a file through the swarm", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			request.URL, request.BackSource = args[0], !noBackSource
			var ok bool
			if request.Digest, ok = piece.ParseDigest(digest); !ok {
				return fmt.Errorf("digest %q is not sha256:<64 hex digits>", digest)
			}
			if request.Profile, err = timers.ByName(profile); err != nil {
				return err
			}
			if request.Capabilities, err = swarm.CapabilitiesOf(swarm.Release); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			result := dfget.Get(ctx, request)
			if asJSON {
				if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
					return fmt.Errorf("print result: %w", err)
				}
			}
			if !result.OK {
				return errors.New("dfget: " + result.Error)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&request.Output, "output", "O", "", "file to write")
	f.StringVar(&digest, "digest", "", "promised digest, sha256:<hex>")
	f.DurationVar(&request.Timeout, "timeout", time.Minute, "limit for the whole download")
	f.StringVar(&request.Socket, "socket", defaultSocket, "unix socket of the daemon")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON on stdout at the end")
	f.BoolVar(&noBackSource, "no-back-source", false, "do not go to the origin when the daemon cannot help")
	f.StringVar(&profile, "profile", timers.Fast.Name, "timers: fast or production")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}
