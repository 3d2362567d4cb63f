//go:build linux

// Faultd is the one helper container of a session that touches kernels. It
// changes and reads the network namespaces and main processes of the session's
// own containers, and wires them, on behalf of the harness (package agent is its client), and
// it is the dead man's switch: when the harness stops renewing the lease, it
// removes all containers and networks of the session, itself last.
//
// It runs with the host's process ids, the engine's socket, and these
// capabilities instead of privileges:
//
//	NET_ADMIN   rules, MTU, offloads and wires in a container's namespace
//	SYS_ADMIN   entering a namespace, and making one for a network
//	SYS_PTRACE  opening /proc/<pid>/ns/net, and reading exe, fd and root
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// listenAddress is the port inside the container; the harness publishes it
	// on loopback.
	listenAddress = ":50051"
	// firstBeatWithin is what a harness has to dial and renew for the first
	// time; later the lease counts.
	firstBeatWithin = 10 * time.Second
	// reapWithin bounds the removal of a session: an engine with much to do takes half a
	// second for each container, and nobody else comes to clean up.
	reapWithin = 2 * time.Minute
	// lingerFor is how long a reaper looks at least.
	lingerFor = 3 * time.Second
	// engineWithin bounds what is asked of the engine before serving.
	engineWithin = 10 * time.Second
)

// The main thread cannot be thrown away after it has entered a namespace
// (package kernel), so only the main goroutine may use it.
func init() { runtime.LockOSThread() }

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	done := make(chan error)
	go func() { done <- run(log) }()
	if err := <-done; err != nil {
		log.Error("faultd ends", "error", err.Error())
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	config, err := readConfig(os.Getenv)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	engine, err := newDocker()
	if err != nil {
		return err
	}
	self, err := findSelf(ctx, engine, config.session)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listenAddress)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	lease := newLease(firstBeatWithin, config.lease)
	reaper := &reaper{engine: engine, session: config.session, self: self, linger: lingerFor}
	networks := &networks{}
	tenants := newTenants(config.lease, func(beds string) { evict(log, reaper, networks, beds, lease.Expired()) })
	server := newServer(config.session, config.token, engine, lease, tenants, networks)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("ready", "session", config.session, "lease", config.lease.String())

	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		// Whoever stops faultd by hand takes over: no container is removed. The networks of
		// beds end with this process.
		log.Info("stopped")
		server.Stop()
		return nil
	case <-lease.Expired():
		log.Info("lease ran out, removing the session", "session", config.session)
		defer server.Stop()
		return reap(log, reaper)
	}
}

// evict removes the beds of a process that renews their lease no more. It stops when
// the session is over: then all is removed.
func evict(log *slog.Logger, reaper *reaper, networks *networks, beds string, over <-chan struct{}) {
	log.Info("lease ran out, removing beds", "beds", beds)
	ctx, cancel := context.WithTimeout(context.Background(), reapWithin)
	defer cancel()
	go func() {
		select {
		case <-over:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := reaper.Reap(ctx, beds)
	err = errors.Join(err, networks.close(func(name string) bool { return strings.HasPrefix(name, beds) }))
	if err != nil {
		log.Error("leftovers", "error", err.Error()) // the session's end tries again
	}
}

// reap removes the session and, as its last act, this container.
func reap(log *slog.Logger, reaper *reaper) error {
	ctx, cancel := context.WithTimeout(context.Background(), reapWithin)
	defer cancel()
	if err := reaper.Reap(ctx, ""); err != nil {
		// Left for `make clean`; itself must not stay on top of that.
		log.Error("leftovers", "error", err.Error())
	}
	ctx, cancel = context.WithTimeout(context.Background(), reapWithin)
	defer cancel()
	if err := reaper.engine.RemoveContainer(ctx, reaper.self); err != nil {
		return fmt.Errorf("remove faultd's own container: %w", err)
	}
	return nil
}

// config comes from the environment.
type config struct {
	session, token string
	lease          time.Duration
}

func readConfig(get func(string) string) (config, error) {
	c := config{session: get("FAULTBED_SESSION"), token: get("FAULTBED_TOKEN")}
	if c.session == "" {
		return c, errors.New("FAULTBED_SESSION is not set: want the session's id")
	}
	if c.token == "" {
		return c, errors.New("FAULTBED_TOKEN is not set: want the session's secret")
	}
	lease, err := time.ParseDuration(get("FAULTBED_LEASE"))
	if err != nil || lease <= 0 {
		return c, fmt.Errorf("FAULTBED_LEASE is %q: want a duration such as 5s", get("FAULTBED_LEASE"))
	}
	c.lease = lease
	return c, nil
}
