// Package daemon is a peer of the reference swarm: it joins (register, list,
// choose and connect, take part), downloads tasks from parents and origin, and
// serves the pieces that it holds.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// Config says how one peer runs. The four addresses are listened on; AdvertiseIP
// is what the peer states to others.
type Config struct {
	Hostname    string
	AdvertiseIP string
	// GRPC, Proxy, Pieces and Status are the listen addresses (65000 to 65003).
	GRPC, Proxy, Pieces, Status string
	// Socket is the unix socket for dfget; empty for none.
	Socket        string
	Supernodes    []string
	Seed          bool
	IDC, Location string
	Profile       timers.Profile
	Release       string
	DataDir       string
	// Quota is how many bytes of content the peer may hold; 0 is no limit.
	Quota int64
	// Mirror is the server that the proxy port mirrors, as in http://host:port; "" for none.
	Mirror string
	Log    *slog.Logger
	// Stack opens the peer's connections; nil is the operating system's.
	Stack wire.Stack
}

// uploadSlots is how many pieces a peer serves at one moment; more are refused
// with 503 and fetched elsewhere.
const uploadSlots = 32

// Daemon is one running peer.
type Daemon struct {
	pb.UnimplementedPeerServer
	pb.UnimplementedLocalServer
	cfg        Config
	can        swarm.Capabilities
	log        *slog.Logger
	reporter   *diag.Reporter
	registry   *prometheus.Registry
	bytes      *prometheus.CounterVec
	evictions  *prometheus.CounterVec
	host       *pb.Host
	network    wire.Network
	http       *http.Client
	membership *membership
	mesh       *mesh
	uploads    atomic.Int32
	leaving    atomic.Bool  // told to stop
	spaceMade  atomic.Int64 // how often a full disk was made room on

	ctx  context.Context //nolint:containedctx // the life of the background work
	stop context.CancelFunc
	work sync.WaitGroup

	listeners map[string]net.Listener
	servers   []*grpc.Server
	web       []*http.Server

	mu    sync.Mutex
	tasks map[string]*task
}

// New opens the listeners of a peer; Run serves them and joins the swarm.
func New(cfg Config) (d *Daemon, err error) {
	can, err := swarm.CapabilitiesOf(cfg.Release)
	if err != nil {
		return nil, err
	}
	if cfg.Mirror != "" {
		if err := checkMirror(cfg.Mirror); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	network := wire.NewNetwork(cfg.Stack, cfg.Profile)
	d = &Daemon{
		cfg: cfg, can: can, log: cfg.Log, registry: prometheus.NewRegistry(), network: network, http: network.HTTPClient(),
		ctx: ctx, stop: stop, tasks: map[string]*task{}, listeners: map[string]net.Listener{},
	}
	d.reporter = diag.NewReporter(d.log, !can.DiagnosticLog, d.registry)
	defer func() {
		if err != nil {
			stop()
			for _, l := range d.listeners {
				_ = l.Close()
			}
		}
	}()
	d.registerStoreMetrics()
	if err := d.openStore(); err != nil {
		return nil, err
	}
	for name, addr := range map[string]string{"grpc": cfg.GRPC, "proxy": cfg.Proxy, "pieces": cfg.Pieces, "status": cfg.Status} {
		l, err := diag.Listen(network.Stack, "tcp", addr, name == "status", d.reporter)
		if err != nil {
			return nil, err
		}
		d.listeners[name] = l
	}
	if cfg.Socket != "" {
		if err := os.MkdirAll(filepath.Dir(cfg.Socket), 0o750); err != nil {
			return nil, fmt.Errorf("make the socket's folder: %w", err)
		}
		if err := os.Remove(cfg.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("clear the socket: %w", err)
		}
		l, err := diag.Listen(network.Stack, "unix", cfg.Socket, true, d.reporter)
		if err != nil {
			return nil, err
		}
		d.listeners["local"] = l
	}
	d.host = &pb.Host{
		Name: cfg.Hostname, Ip: cfg.AdvertiseIP, Release: can.Release, Protocol: can.Protocol,
		Seed: cfg.Seed, Idc: cfg.IDC, Location: cfg.Location,
		GrpcPort: d.port("grpc"), ProxyPort: d.port("proxy"), PiecePort: d.port("pieces"), StatusPort: d.port("status"),
	}
	d.mesh = newMesh(d)
	d.membership = newMembership(d)
	d.registerMetrics()
	return d, nil
}

func (d *Daemon) taskDir() string { return filepath.Join(d.cfg.DataDir, "tasks") }

func (d *Daemon) port(name string) int32 {
	addr, ok := d.listeners[name].Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return int32(addr.Port) //nolint:gosec // a port fits
}

// Host is what the peer states about itself.
func (d *Daemon) Host() *pb.Host { return d.host }

// Run serves and stays in the swarm until ctx ends; then it says goodbye, and a release
// that can finishes its uploads.
func (d *Daemon) Run(ctx context.Context) error {
	failed := make(chan error, len(d.listeners))
	serve := func(name string, f func() error) {
		d.work.Go(func() {
			if err := f(); err != nil && d.ctx.Err() == nil {
				failed <- fmt.Errorf("serve %s: %w", name, err)
			}
		})
	}
	who := wire.Identity{Release: d.can.Release, Protocol: d.can.Protocol}
	peers := wire.NewServer(d.cfg.Profile, who)
	pb.RegisterPeerServer(peers, d)
	d.servers = append(d.servers, peers)
	serve("grpc", func() error { return peers.Serve(d.listeners["grpc"]) })
	if l := d.listeners["local"]; l != nil {
		local := wire.NewServer(d.cfg.Profile, who)
		pb.RegisterLocalServer(local, d)
		d.servers = append(d.servers, local)
		serve("local", func() error { return local.Serve(l) })
	}
	for name, handler := range map[string]http.Handler{
		"proxy": d.proxyRoutes(), "pieces": d.pieceRoutes(), "status": d.statusRoutes(),
	} {
		web := &http.Server{Handler: handler, ReadHeaderTimeout: d.cfg.Profile.RPCTimeout, IdleTimeout: d.cfg.Profile.Lease}
		d.web = append(d.web, web)
		serve(name, func() error { return web.Serve(d.listeners[name]) })
	}
	d.work.Go(d.membership.run)
	d.log.Info("peer started", "ip", d.cfg.AdvertiseIP, "protocol", d.can.Protocol, "seed", d.cfg.Seed, "supernodes", d.cfg.Supernodes)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	d.leaving.Store(true)
	d.membership.leave(ctx)
	d.drain()
	d.stop()
	for _, web := range d.web {
		_ = web.Close()
	}
	for _, server := range d.servers {
		server.Stop()
	}
	d.mesh.close()
	d.http.CloseIdleConnections()
	d.work.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tasks {
		t.shut()
	}
	d.log.Info("peer stopped")
	return err
}
