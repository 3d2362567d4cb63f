package main

import (
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/source"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

const exitCodes = `
Exit codes: 0 done; 1 failed; 2 the content is not what --digest promised;
3 the origin refuses the file (404, 410, 401, 403); 4 not done within --timeout;
64 bad usage. An existing output is replaced only by a file that came whole.`

// client is what dfget and preheat have in common.
type client struct {
	request         dfget.Request
	profile, digest string
	asJSON          bool
}

func (c *client) flags(f *pflag.FlagSet) {
	f.StringVar(&c.digest, "digest", "", "promised digest, sha256:<hex>")
	f.DurationVar(&c.request.Timeout, "timeout", time.Minute, "limit for the whole download")
	f.StringVar(&c.request.Socket, "socket", defaultSocket, "unix socket of the daemon")
	f.BoolVar(&c.asJSON, "json", false, "print one line of JSON on stdout at the end, and no progress")
	f.StringVar(&c.profile, "profile", timers.Fast.Name, "timers: fast or production")
}

// check completes the request from the arguments, or says what is wrong with them.
func (c *client) check(url string) (err error) {
	c.request.URL = url
	if !source.Understands(url) {
		return badUsage("url %q is not http:// or https:// with a host", url)
	}
	var ok bool
	if c.request.Digest, ok = piece.ParseDigest(c.digest); !ok {
		return badUsage("digest %q is not sha256:<64 hex digits>", c.digest)
	}
	if c.request.Timeout <= 0 {
		return badUsage("timeout %s is not longer than nothing", c.request.Timeout)
	}
	if c.request.Profile, err = timers.ByName(c.profile); err != nil {
		return badUsage("%w", err)
	}
	if c.request.Capabilities, err = swarm.CapabilitiesOf(swarm.Release); err != nil {
		return err
	}
	return nil
}

// run does the request, shows its progress on a terminal, and tells how it ended.
func (c *client) run(cmd *cobra.Command, do func(dfget.Request) dfget.Result) error {
	done := func() {}
	if !c.asJSON {
		c.request.Progress, done = progress(cmd.ErrOrStderr(), c.request.URL)
	}
	result := do(c.request)
	done()
	if c.asJSON {
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(result); err != nil {
			return fmt.Errorf("print result: %w", err)
		}
	}
	if !result.OK {
		return failure{result.ExitCode(), fmt.Errorf("%s: %s", cmd.Name(), result.Error)}
	}
	return nil
}

func dfgetCommand() *cobra.Command {
	var c client
	var part string
	var noBackSource bool
	cmd := &cobra.Command{
		Use: "dfget URL -O PATH", Short: "Fetch a file, or a part of it, through the swarm", Args: cobra.ExactArgs(1),
		Long: "Fetch a file, or a part of it, through the swarm.\n" + exitCodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(args[0]); err != nil {
				return err
			}
			if c.request.Output == "" {
				return badUsage("--output is needed")
			}
			c.request.BackSource = !noBackSource
			if cmd.Flags().Changed("range") {
				var ok bool
				if c.request.Part, ok = piece.ParsePart(part); !ok || c.request.Part.Offset < 0 {
					return badUsage("range %q is not first-last or first-, in bytes from 0", part)
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return c.run(cmd, func(r dfget.Request) dfget.Result { return dfget.Get(ctx, r) })
		},
	}
	f := cmd.Flags()
	c.flags(f)
	f.StringVarP(&c.request.Output, "output", "O", "", "file to write")
	f.StringVar(&part, "range", "", "fetch only these bytes, first-last or first-; pieces are checked, --digest is that of the whole file")
	f.BoolVar(&noBackSource, "no-back-source", false, "do not go to the origin when the daemon cannot help")
	return cmd
}

func preheatCommand() *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use: "preheat URL", Short: "Make this seed bring a file into the swarm, before anybody wants it", Args: cobra.ExactArgs(1),
		Long: "Make this seed bring a file into the swarm, and wait until it holds it. A peer that is no seed refuses.\n" + exitCodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(args[0]); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return c.run(cmd, func(r dfget.Request) dfget.Result { return dfget.Preheat(ctx, r) })
		},
	}
	c.flags(cmd.Flags())
	return cmd
}
