// Package supernode is the tracker of the reference swarm: it registers peers and
// calls them back, hears their announcements, chooses parents, triggers seeds for
// files that nobody has, and drops those whose lease ran out. It holds no content.
package supernode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// Config says how one supernode runs.
type Config struct {
	Hostname string
	// Listen and Metrics are the addresses of gRPC and of HTTP.
	Listen, Metrics string
	// SeedPeers are host:port of the seeds' gRPC, the primary first.
	SeedPeers     []string
	Profile       timers.Profile
	Release       string
	IDC, Location string
	Log           *slog.Logger
	// Stack opens the supernode's connections; nil is the operating system's.
	Stack wire.Stack
}

// Supernode is one running tracker.
type Supernode struct {
	pb.UnimplementedSupernodeServer
	cfg      Config
	can      swarm.Capabilities
	log      *slog.Logger
	reporter *diag.Reporter
	registry *prometheus.Registry
	grpc     *grpc.Server
	http     *http.Server
	network  wire.Network
	probe    *http.Client
	grpcLis  *diag.Listener
	httpLis  *diag.Listener
	ctx      context.Context //nolint:containedctx // the life of the background work
	stop     context.CancelFunc
	work     sync.WaitGroup

	// warm is when all that live can be expected to have registered here.
	warm time.Time

	mu      sync.Mutex
	peers   map[string]*record
	roster  roster // the same, in order
	refused map[string]Refused
	tasks   map[string]*task
	changed chan struct{} // closed and replaced at each change
}

// New opens the listeners of a supernode; Run serves them.
func New(cfg Config) (*Supernode, error) {
	can, err := swarm.CapabilitiesOf(cfg.Release)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	network := wire.NewNetwork(cfg.Stack, cfg.Profile)
	s := &Supernode{
		cfg: cfg, can: can, log: cfg.Log, registry: prometheus.NewRegistry(),
		grpc: wire.NewServer(cfg.Profile, wire.Identity{Release: can.Release, Protocol: can.Protocol}), network: network, probe: network.HTTPClient(),
		ctx: ctx, stop: stop, warm: time.Now().Add(cfg.Profile.Lease),
		peers: map[string]*record{}, refused: map[string]Refused{}, tasks: map[string]*task{}, changed: make(chan struct{}),
	}
	s.reporter = diag.NewReporter(s.log, !can.DiagnosticLog, s.registry)
	s.registerMetrics()
	if s.grpcLis, err = diag.Listen(network.Stack, "tcp", cfg.Listen, false, s.reporter); err != nil {
		stop()
		return nil, err
	}
	if s.httpLis, err = diag.Listen(network.Stack, "tcp", cfg.Metrics, true, s.reporter); err != nil {
		stop()
		return nil, errors.Join(err, s.grpcLis.Close())
	}
	pb.RegisterSupernodeServer(s.grpc, s)
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: cfg.Profile.RPCTimeout, IdleTimeout: cfg.Profile.RPCTimeout}
	return s, nil
}

// Addr is where gRPC is served, StatusAddr where HTTP is.
func (s *Supernode) Addr() net.Addr { return s.grpcLis.Addr() }

// StatusAddr is the address of /peers, /metrics and /healthy.
func (s *Supernode) StatusAddr() net.Addr { return s.httpLis.Addr() }

// Run serves until ctx ends, then closes everything.
func (s *Supernode) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	s.work.Go(func() {
		if err := s.grpc.Serve(s.grpcLis); err != nil && s.ctx.Err() == nil {
			failed <- fmt.Errorf("serve grpc: %w", err)
		}
	})
	s.work.Go(func() {
		if err := s.http.Serve(s.httpLis); err != nil && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve http: %w", err)
		}
	})
	s.work.Go(s.reap)
	s.log.Info("supernode started", "listen", s.Addr().String(), "protocol", s.can.Protocol, "seeds", s.cfg.SeedPeers)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stop()
	s.grpc.Stop()
	_ = s.http.Close()
	s.probe.CloseIdleConnections()
	s.work.Wait()
	s.log.Info("supernode stopped")
	return err
}

// wake tells the streams of all who want something that something changed. The caller
// holds mu.
func (s *Supernode) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// reap drops the peers whose lease ran out.
func (s *Supernode) reap() {
	ticker := time.NewTicker(max(s.cfg.Profile.Lease/10, 10*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		for _, r := range s.peers {
			if why := r.expired(time.Now(), s.cfg.Profile.Lease); why != "" {
				s.drop(r, why)
			}
		}
		s.mu.Unlock()
	}
}
