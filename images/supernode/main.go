// Command supernode is the tracker of the reference swarm. It is configured by
// flags only, so that its container shows how it runs.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/supernode"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "supernode:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var cfg supernode.Config
	var profile string
	cmd := &cobra.Command{
		Use: "supernode", Short: "Tracker of the reference swarm", Version: swarm.Release,
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Profile, err = timers.ByName(profile); err != nil {
				return err
			}
			if cfg.Hostname == "" {
				if cfg.Hostname, err = os.Hostname(); err != nil {
					return fmt.Errorf("find own name: %w", err)
				}
			}
			cfg.Release = swarm.Release
			cfg.Log = diag.NewLog("supernode", cfg.Hostname, cfg.Release)
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			s, err := supernode.New(cfg)
			if err != nil {
				return err
			}
			return s.Run(ctx)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Hostname, "hostname", "", "own name (default: the host's)")
	f.StringVar(&cfg.Listen, "listen", ":8002", "address of gRPC")
	f.StringVar(&cfg.Metrics, "metrics", ":8003", "address of /metrics, /peers and /healthy")
	f.StringArrayVar(&cfg.SeedPeers, "seed-peer", nil, "host:port of a seed's gRPC; repeat, the primary first")
	f.StringVar(&profile, "profile", timers.Fast.Name, "timers: fast or production")
	f.StringVar(&cfg.IDC, "idc", "", "data centre")
	f.StringVar(&cfg.Location, "location", "", "place, as in country|city|zone")
	return cmd
}
