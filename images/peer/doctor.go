package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/doctor"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// errUsage is in the chain of what a user typed wrong; the program then ends with 64.
var errUsage = badUsage("bad usage")

// errSick ends the doctor with 1 when it has found a problem.
var errSick = errors.New("doctor: there are problems")

func doctorCommand() *cobra.Command {
	cfg := doctor.Config{Release: swarm.Release}
	var profile string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find out why this peer is out of the swarm, and what cures it",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: doctor takes no arguments, only flags, got %q", errUsage, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Profile, err = timers.ByName(profile); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			for _, target := range append([]string{cfg.Status}, cfg.Supernodes...) {
				if err := checkTarget(target); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			findings := doctor.Judge(doctor.Examine(ctx, cfg), cfg.Profile)
			// The log is for whoever collects logs; the table is on stdout.
			doctor.Log(ctx, slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("role", "doctor", "release", swarm.Release), findings)
			write := doctor.WriteTable
			if asJSON {
				write = doctor.WriteJSON
			}
			if err := write(os.Stdout, findings); err != nil {
				return err
			}
			if !doctor.Healthy(findings) {
				return errSick
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	f := cmd.Flags()
	f.StringArrayVar(&cfg.Supernodes, "supernode", nil, "host:port of a supernode, beside those that the daemon has; repeat")
	f.StringVar(&cfg.Status, "status", "127.0.0.1:65003", "host:port of the daemon's status")
	f.StringVar(&profile, "profile", timers.Fast.Name, "timers: fast or production")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON on stdout")
	return cmd
}

func checkTarget(target string) error {
	host, port, err := net.SplitHostPort(target)
	if n, numberErr := strconv.ParseUint(port, 10, 16); err != nil || numberErr != nil || host == "" || n == 0 {
		return fmt.Errorf("%w: %q is not host:port", errUsage, target)
	}
	return nil
}
