package swarm_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/origin/trouble"
	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/supernode"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// bed is a swarm in one process: each node has a loopback address of its own and
// the ports of a real deployment.
type bed struct {
	t      *testing.T
	net    string
	timers timers.Profile
	origin *origin
	logs   *logBook
	// names are host:port of supernodes by name, and where each leads; peers started
	// once there are some use them.
	naming sync.Mutex
	names  map[string]string
	wire.System
}

// DialContext implements wire.Stack.
func (b *bed) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	b.naming.Lock()
	if led, ok := b.names[address]; ok {
		address = led
	}
	b.naming.Unlock()
	return b.System.DialContext(ctx, network, address)
}

// LookupHost implements wire.Stack.
func (b *bed) LookupHost(_ context.Context, host string) ([]string, error) {
	b.naming.Lock()
	defer b.naming.Unlock()
	ip, _, err := net.SplitHostPort(b.names[host+":8002"])
	return []string{ip}, err
}

// lead makes a supernode's name lead to the address with that number.
func (b *bed) lead(name string, to int) {
	b.naming.Lock()
	defer b.naming.Unlock()
	b.names = map[string]string{name + ":8002": b.addr(to) + ":8002"}
}

var beds atomic.Int32

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, net: fmt.Sprintf("127.%d.%d", 10+os.Getpid()%200, beds.Add(1)), timers: timers.Fast, logs: &logBook{}}
	b.origin = startOrigin(t, b.addr(250))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of all nodes:\n%s", b.logs)
		}
	})
	return b
}

func (b *bed) addr(node int) string { return fmt.Sprintf("%s.%d", b.net, node) }

// node is one started program.
type node struct {
	stop func()
}

// run starts a program and makes sure that it ends with the test.
func (b *bed) run(f func(context.Context) error) *node {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	var once sync.Once
	n := &node{stop: func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					b.t.Errorf("a node ended with %v", err)
				}
			case <-time.After(10 * time.Second):
				b.t.Error("a node did not stop within 10 s")
			}
		})
	}}
	b.t.Cleanup(n.stop)
	return n
}

type superNode struct {
	*node
	*supernode.Supernode
}

// supernode starts a supernode at address 1 (or 2, 3...), with the seeds at those addresses.
func (b *bed) supernode(at int, release string, seeds ...int) *superNode {
	b.t.Helper()
	cfg := supernode.Config{
		Hostname: fmt.Sprintf("supernode-%d", at), Listen: b.addr(at) + ":8002", Metrics: b.addr(at) + ":8003",
		Profile: b.timers, Release: release, Log: b.logs.log(fmt.Sprintf("supernode-%d", at)),
	}
	for _, s := range seeds {
		cfg.SeedPeers = append(cfg.SeedPeers, b.addr(s)+":65000")
	}
	s, err := supernode.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return &superNode{b.run(s.Run), s}
}

type peer struct {
	*node
	*daemon.Daemon
	dir string
	can swarm.Capabilities
	b   *bed
}

// peer starts a peer, or with seed a seed, at that address; its supernodes are at the last ones.
func (b *bed) peer(at int, release string, seed bool, supernodes ...int) *peer {
	b.t.Helper()
	return b.start(b.peerConfig(at, release, seed, supernodes...))
}

func (b *bed) peerConfig(at int, release string, seed bool, supernodes ...int) daemon.Config {
	b.t.Helper()
	ip, dir := b.addr(at), b.t.TempDir()
	name := fmt.Sprintf("peer-%d", at)
	cfg := daemon.Config{
		Hostname: name, AdvertiseIP: ip, GRPC: ip + ":65000", Proxy: ip + ":65001", Pieces: ip + ":65002", Status: ip + ":65003",
		Socket: filepath.Join(dir, "s"), DataDir: dir, Seed: seed, Profile: b.timers, Release: release, Log: b.logs.log(name),
	}
	for _, s := range supernodes {
		cfg.Supernodes = append(cfg.Supernodes, b.addr(s)+":8002")
	}
	if len(b.names) > 0 {
		cfg.Stack, cfg.Supernodes = b, append(cfg.Supernodes, slices.Collect(maps.Keys(b.names))...)
	}
	return cfg
}

// start starts a peer that is configured by hand.
func (b *bed) start(cfg daemon.Config) *peer {
	b.t.Helper()
	d, err := daemon.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	can, err := swarm.CapabilitiesOf(cfg.Release)
	if err != nil {
		b.t.Fatal(err)
	}
	return &peer{b.run(d.Run), d, cfg.DataDir, can, b}
}

// get downloads a fixture through a peer, as dfget does.
func (p *peer) get(file fixtures.File, backSource bool) dfget.Result {
	return dfget.Get(p.b.t.Context(), dfget.Request{
		URL: p.b.origin.url(file), Output: filepath.Join(p.dir, "out", file.Name), Digest: file.SHA256,
		Socket: filepath.Join(p.dir, "s"), Timeout: 25 * time.Second, BackSource: backSource, Capabilities: p.can, Profile: p.b.timers,
	})
}

// getURL downloads any URL through a peer.
func (p *peer) getURL(url string) dfget.Result {
	return dfget.Get(p.b.t.Context(), dfget.Request{
		URL: url, Output: filepath.Join(p.dir, "out", "any"), Socket: filepath.Join(p.dir, "s"),
		Timeout: 25 * time.Second, Capabilities: p.can, Profile: p.b.timers,
	})
}

// mustGet fails the test unless the file arrives intact.
func (p *peer) mustGet(file fixtures.File) dfget.Result {
	p.b.t.Helper()
	result := p.get(file, true)
	if !result.OK || result.SHA256 != file.SHA256 {
		p.b.t.Fatalf("download on %s: %+v", p.Host().GetName(), result)
	}
	return result
}

// eventually polls an observable until it is what is wanted.
func eventually(t *testing.T, within time.Duration, what string, observe func() (string, bool)) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, ok := observe()
		if ok {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: not within %s, last seen: %s", what, within, seen)
		case <-tick.C:
		}
	}
}

func (b *bed) counts(s *superNode, n int, within time.Duration) {
	b.t.Helper()
	eventually(b.t, within, fmt.Sprintf("%d peers counted", n), func() (string, bool) {
		got := s.Snapshot()
		return fmt.Sprintf("%+v", got), got.Count == n
	})
}

// announced waits until the supernode knows how many pieces of a file a peer holds.
func (b *bed) announced(s *superNode, p *peer, file fixtures.File, pieces int) {
	b.t.Helper()
	id := piece.TaskID(b.origin.url(file), file.SHA256)
	eventually(b.t, b.timers.RejoinWithin(), fmt.Sprintf("%d pieces of %s announced", pieces, file.Name), func() (string, bool) {
		got := s.Snapshot()
		return fmt.Sprintf("%+v", got.Peers), slices.ContainsFunc(got.Peers, func(known supernode.Peer) bool {
			return known.Name == p.Host().GetName() && known.Held[id] == pieces
		})
	})
}

// origin serves the fixtures and counts.
type origin struct {
	addr     string
	requests atomic.Int64
	bytes    atomic.Int64
	// hold, while set, keeps each response from going beyond that many bytes.
	mu   sync.Mutex
	hold int64
	free chan struct{}
}

func startOrigin(t *testing.T, ip string) *origin {
	t.Helper()
	o := &origin{free: make(chan struct{})}
	listener, err := net.Listen("tcp", ip+":8080")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = listener.Addr().String()
	server := &http.Server{Handler: o, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

func (o *origin) url(f fixtures.File) string { return "http://" + o.addr + "/files/" + f.Name }

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := fixtures.ByName(strings.TrimPrefix(r.URL.Path, "/files/"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	o.requests.Add(1)
	trouble.Serve(&countedWriter{w, o, r.Context(), 0}, r, file, trouble.Kind(r.URL.Query().Get("fault")))
}

type countedWriter struct {
	http.ResponseWriter
	o    *origin
	ctx  context.Context
	sent int64
}

// Write trickles once the held length is reached, so that transfers stay under way.
func (w *countedWriter) Write(p []byte) (int, error) {
	w.o.mu.Lock()
	hold, free := w.o.hold, w.o.free
	w.o.mu.Unlock()
	if hold > 0 && w.sent >= hold {
		w.ResponseWriter.(http.Flusher).Flush()
		select {
		case <-free:
		case <-w.ctx.Done():
			return 0, w.ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	w.o.bytes.Add(int64(n))
	return n, err
}

func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// slow makes responses trickle (about 160 KiB/s) beyond n bytes, until release.
func (o *origin) slow(n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hold = n
}

func (o *origin) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hold = 0
	close(o.free)
	o.free = make(chan struct{})
}

// logBook keeps the log lines of all nodes.
type logBook struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *logBook) log(name string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.Writer(l), nil)).With("node", name)
}

// find returns the lines that contain all parts.
func (l *logBook) find(parts ...string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}
