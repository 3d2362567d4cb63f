package virtual

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/supernode"
)

// Node says how a node is to be. Supernodes and Seeds are names; a peer that names no
// supernode has the one called "supernode".
type Node struct {
	Name          string
	Release       string
	Seed          bool
	Supernodes    []string
	Seeds         []string
	IDC, Location string
	// On is the machine to run on; nil is a new one of the node's name.
	On *memnet.Host
}

func (n Node) fill(b *Bed) Node {
	if n.Release == "" {
		n.Release = Stable
	}
	if n.On == nil {
		n.On = b.Machine(n.Name)
	}
	if len(n.Supernodes) == 0 {
		n.Supernodes = []string{"supernode"}
	}
	return n
}

func at(name string, port int) string { return net.JoinHostPort(name, strconv.Itoa(port)) }

func all(names []string, port int) []string {
	addrs := make([]string, 0, len(names))
	for _, name := range names {
		addrs = append(addrs, at(name, port))
	}
	return addrs
}

// Supernode is one running supernode.
type Supernode struct {
	*program
	*supernode.Supernode
}

// Supernode starts one.
func (b *Bed) Supernode(n Node) *Supernode {
	b.Helper()
	n = n.fill(b)
	s, err := supernode.New(supernode.Config{
		Hostname: n.Name, Listen: at("", SupernodePort), Metrics: at("", supernodeStatusPort), SeedPeers: all(n.Seeds, GRPCPort),
		Profile: b.Timers, Release: n.Release, IDC: n.IDC, Location: n.Location, Log: b.log(n.Name), Stack: n.On,
	})
	if err != nil {
		b.Fatal(err)
	}
	return &Supernode{b.start(n.On, s.Run), s}
}

// Counts waits until the supernode counts so many peers.
func (s *Supernode) Counts(peers int, within time.Duration) {
	s.b.Helper()
	s.b.Until(fmt.Sprintf("%d peers counted", peers), within, func() (any, bool) {
		snapshot := s.Snapshot()
		return snapshot, snapshot.Count == peers
	})
}

// Peer is one running peer or seed.
type Peer struct {
	*program
	*daemon.Daemon
	Dir string
	can swarm.Capabilities
}

// Peer starts a peer, or a seed.
func (b *Bed) Peer(n Node) *Peer {
	b.Helper()
	n = n.fill(b)
	dir := b.TempDir()
	d, err := daemon.New(daemon.Config{
		Hostname: n.Name, AdvertiseIP: n.On.IP(), GRPC: at("", GRPCPort), Proxy: at("", ProxyPort), Pieces: at("", PiecePort), Status: at("", statusPort),
		Socket: filepath.Join(dir, "s"), Supernodes: all(n.Supernodes, SupernodePort), Seed: n.Seed, IDC: n.IDC, Location: n.Location,
		Profile: b.Timers, Release: n.Release, DataDir: dir, Log: b.log(n.Name), Stack: n.On,
	})
	if err != nil {
		b.Fatal(err)
	}
	can, err := swarm.CapabilitiesOf(n.Release)
	if err != nil {
		b.Fatal(err)
	}
	return &Peer{b.start(n.On, d.Run), d, dir, can}
}

// Get downloads a fixture through the peer as dfget does.
func (p *Peer) Get(file fixtures.File) dfget.Result {
	return dfget.Get(p.b.ctx, dfget.Request{
		URL: p.b.Origin.URL(file), Output: filepath.Join(p.Dir, "out", file.Name), Digest: file.SHA256, Socket: filepath.Join(p.Dir, "s"),
		Timeout: patience, BackSource: true, Capabilities: p.can, Profile: p.b.Timers, Stack: p.Machine,
	})
}

// patience bounds a download of which nothing else comes to an end.
const patience = time.Hour

// MustGet fails the test unless the file arrives intact, by way of the daemon.
func (p *Peer) MustGet(file fixtures.File) dfget.Result {
	p.b.Helper()
	result := p.Get(file)
	if !result.OK || result.SHA256 != file.SHA256 || result.Mode != "daemon" {
		p.b.Fatalf("download on %s: %+v", p.Host().GetName(), result)
	}
	return result
}

// Begin starts a download; the function that it returns waits for its end.
func (p *Peer) Begin(file fixtures.File) (wait func() dfget.Result) {
	result := make(chan dfget.Result, 1)
	go func() { result <- p.Get(file) }()
	return func() dfget.Result { return <-result }
}

// Holds waits until the peer holds so many pieces of some task.
func (p *Peer) Holds(pieces int, within time.Duration) {
	p.b.Helper()
	p.b.Until(fmt.Sprintf("%d pieces held", pieces), within, func() (any, bool) {
		tasks := p.Snapshot().Tasks
		for _, task := range tasks {
			if task.Held >= pieces {
				return task, true
			}
		}
		return tasks, false
	})
}

func (b *Bed) log(node string) *slog.Logger { return slog.New(b.Journal).With(nodeKey, node) }
