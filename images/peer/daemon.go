package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// idleGC is when garbage is collected, in percent of what lives. A peer lives on about
// 1 MiB, and idles most of its life; at the default of 100 it waits for 4 MiB of garbage.
const idleGC = 50

func daemonCommand() *cobra.Command {
	// The ports of a real deployment, all inside the range that must be open between hosts.
	cfg := daemon.Config{GRPC: ":65000", Proxy: ":65001", Pieces: ":65002", Status: ":65003"}
	var profile, quota string
	cmd := &cobra.Command{
		Use: "daemon", Short: "Join the swarm and serve pieces", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(idleGC)
			}
			if len(cfg.Supernodes) == 0 {
				return badUsage("at least one --supernode is needed")
			}
			if cfg.Quota, err = units.RAMInBytes(quota); err != nil || cfg.Quota < 0 {
				return badUsage("quota %q is no size such as 512MiB", quota)
			}
			if cfg.Profile, err = timers.ByName(profile); err != nil {
				return badUsage("%w", err)
			}
			if cfg.Hostname == "" {
				if cfg.Hostname, err = os.Hostname(); err != nil {
					return fmt.Errorf("find own name: %w", err)
				}
			}
			if cfg.AdvertiseIP == "" {
				if cfg.AdvertiseIP, err = ownIP(); err != nil {
					return err
				}
			}
			cfg.Release = swarm.Release
			cfg.Log = diag.NewLog("peer", cfg.Hostname, cfg.Release)
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			d, err := daemon.New(cfg)
			if err != nil {
				return err
			}
			return d.Run(ctx)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Hostname, "hostname", "", "own name (default: the host's)")
	f.StringArrayVar(&cfg.Supernodes, "supernode", nil, "host:port of a supernode; repeat, the preferred first")
	f.BoolVar(&cfg.Seed, "seed", false, "be a seed peer")
	f.StringVar(&cfg.IDC, "idc", "", "data centre")
	f.StringVar(&cfg.Location, "location", "", "place, as in country|city|zone")
	f.StringVar(&profile, "profile", timers.Fast.Name, "timers: fast or production")
	f.StringVar(&cfg.AdvertiseIP, "advertise-ip", "", "address stated to others (default: that of the first interface that is no loopback)")
	f.StringVar(&cfg.DataDir, "data-dir", "/var/lib/swarm", "folder of the held pieces")
	f.StringVar(&quota, "quota", "0", "content to hold at most, such as 512MiB; the least recently used files go first (0: no limit)")
	f.StringVar(&cfg.Mirror, "mirror", "", "server, as http://host:port, whose files the proxy port gives under their own paths")
	f.StringVar(&cfg.Socket, "socket", defaultSocket, "unix socket for dfget")
	return cmd
}

// ownIP is the IPv4 address of the first interface that is up and no loopback.
func ownIP() (string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("find own address: %w", err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return "", fmt.Errorf("find own address on %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				return n.IP.String(), nil
			}
		}
	}
	return "", errors.New("find own address: no interface has one, use --advertise-ip")
}
