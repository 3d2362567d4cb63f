package harness

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Observations return errors, for Eventually: a node that cannot answer right now is
// no reason to end a scenario. That faultd is gone is one.

// final makes the loss of faultd an error that no Eventually waits any longer on.
func (b *Bed) final(err error) error {
	if lost := b.session.lostBecause(); lost != nil {
		return gomega.StopTrying(lost.Error())
	}
	return err
}

// Members are the names of the peers that the first supernode counts, sorted.
func (b *Bed) Members(ctx context.Context) ([]string, error) {
	return b.count(ctx, b.Supernodes()[0])
}

// CountedBy returns a function for Eventually: the names of the peers that this one of
// several supernodes counts, sorted.
func (b *Bed) CountedBy(supernode topology.Node) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) { return b.count(ctx, supernode) }
}

// Parents are the names of the members that the first supernode would offer as parents
// as far as connectivity goes, sorted.
func (b *Bed) Parents(ctx context.Context) ([]string, error) {
	members, err := b.members(ctx, b.Supernodes()[0])
	if err != nil {
		return nil, err
	}
	members = slices.DeleteFunc(members, func(m system.Member) bool { return !m.Reachable })
	return names(members), nil
}

func (b *Bed) count(ctx context.Context, supernode topology.Node) ([]string, error) {
	members, err := b.members(ctx, supernode)
	return names(members), err
}

// members asks a supernode whom it counts, and notes how many.
func (b *Bed) members(ctx context.Context, supernode topology.Node) ([]system.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, Observation)
	defer cancel()
	members, err := b.session.System.Members(ctx, b.inside(), supernode)
	if err := b.final(err); err != nil {
		return nil, err
	}
	b.notePeerCount(supernode.Name, len(members))
	if len(members) == len(b.topo.Of(topology.Seed, topology.Peer)) {
		b.noteReady()
	}
	return members, nil
}

// noteReady notes when a supernode first counted every seed and peer.
func (b *Bed) noteReady() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.history.BedReadyMS == nil {
		at := b.now()
		b.history.BedReadyMS = &at
	}
}

// noteEnd notes that the spec is over.
func (b *Bed) noteEnd() {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.now()
	b.history.EndedMS = &at
}

func names(members []system.Member) []string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.Name
	}
	slices.Sort(list)
	return list
}

// notePeerCount adds to the history what is new.
func (b *Bed) notePeerCount(supernode string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range slices.Backward(b.history.PeerCount) {
		if p.Supernode == supernode {
			if p.N == n {
				return
			}
			break
		}
	}
	b.history.PeerCount = append(b.history.PeerCount, history.PeerCount{AtMS: b.now(), Supernode: supernode, N: n})
}

// Known returns a function for Eventually: the names of the other peers that a peer
// says it is connected to, sorted.
func (b *Bed) Known(peer topology.Node) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		status, err := b.session.System.Status(ctx, b.inside(), peer)
		slices.Sort(status.Peers)
		return status.Peers, b.final(err)
	}
}

// Diagnoses returns a function for Eventually: what a node's log says of connections
// that failed since the latest injection, or ever if there was none. Node logs carry
// the wall clock of the engine's machine.
func (b *Bed) Diagnoses(n topology.Node) func(context.Context) ([]system.Diagnosis, error) {
	return func(ctx context.Context) ([]system.Diagnosis, error) {
		log, err := patient{b}.Log(ctx, n.Name)
		if err := b.final(err); err != nil {
			return nil, err
		}
		b.mu.Lock()
		since := b.since
		b.mu.Unlock()
		found := slices.DeleteFunc(b.session.System.Diagnoses(n, log), func(d system.Diagnosis) bool {
			return d.At.Before(since)
		})
		for i := range found {
			found[i].Target = b.byName(found[i].Target)
		}
		return found, nil
	}
}

// byName puts the node's name in place of its address in "host:port".
func (b *Bed) byName(target string) string {
	address, err := netip.ParseAddrPort(target)
	if err != nil {
		return target
	}
	for name, n := range b.nodes {
		if n.address == address.Addr() {
			return fmt.Sprintf("%s:%d", name, address.Port())
		}
	}
	return target
}

// Ledger is what passed over all links since the bed was laid, or warm (see AwaitReady),
// without what the harness's own probes moved and opened.
func (b *Bed) Ledger(ctx context.Context) (ledger.Book, error) {
	book, err := b.ledger(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	return book.Since(b.zero), b.final(err)
}

// ledger is what passed over all links since the bed was laid.
func (b *Bed) ledger(ctx context.Context) (ledger.Book, error) {
	counts, err := b.streams.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var book ledger.Book
	for _, e := range b.edges {
		if c, used := counts[e.String()]; used {
			book = append(book, history.LinkBytes{
				Client: e.Client, Server: e.Server, Port: e.Port,
				Up: c.Up, Down: max(0, c.Down-b.probed[e]), Conns: max(0, c.Conns-b.dialled[e]),
			})
		}
	}
	return book, nil
}

// Served returns a function for Eventually: how many bytes of files these nodes gave
// to others since the bed was laid, or warm.
func (b *Bed) Served(nodes ...topology.Node) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		book, err := b.Ledger(ctx)
		return book.Served(b.topo, b.content, topology.Names(nodes)...), err
	}
}

// inside leads into the namespaces of the bed's nodes.
func (b *Bed) inside() system.Inside { return Inside{b.session.Agent, b.Container} }

// SeedAtWork is the seed that has served most since the latest download began: which one
// that is, a system decides. Where none has served the spec proves nothing.
func (b *Bed) SeedAtWork(ctx context.Context) topology.Node {
	b.tb.Helper()
	book, err := b.Ledger(ctx)
	if err != nil {
		b.infra(err)
	}
	b.mu.Lock()
	book = book.Since(b.mark)
	b.mu.Unlock()
	served := func(seed topology.Node) int64 { return book.Served(b.topo, b.content, seed.Name) }
	most := slices.MaxFunc(b.Seeds(), func(x, y topology.Node) int { return cmp.Compare(served(x), served(y)) })
	if served(most) == 0 {
		b.doubt("no seed serves the download that was to be disturbed")
	}
	return most
}

// Owner is the supernode that knows of a file, by its log. Where that is not one of them
// alone the spec proves nothing.
func (b *Bed) Owner(ctx context.Context, file fixtures.File) topology.Node {
	b.tb.Helper()
	var owners []topology.Node
	for _, s := range b.Supernodes() {
		log, err := patient{b}.Log(ctx, s.Name)
		if err != nil {
			b.infra(err)
		}
		if bytes.Contains(log, []byte(b.url(file))) {
			owners = append(owners, s)
		}
	}
	if len(owners) != 1 {
		b.doubt(fmt.Sprintf("%d supernodes know of %s: %v", len(owners), file.Name, topology.Names(owners)))
	}
	return owners[0]
}

// readFacts looks at the namespaces of the proxy and of all nodes but those that died.
func (b *Bed) readFacts(ctx context.Context, died map[string]int) (map[string]agent.Facts, error) {
	var mu sync.Mutex
	facts := map[string]agent.Facts{}
	places := map[string]string{proxyName: b.site.proxy.ID}
	for name, n := range b.nodes {
		if _, gone := died[name]; !gone {
			places[name] = n.container.ID
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	for name, container := range places {
		all.Go(func() error {
			f, err := b.session.Agent.Facts(ctx, container)
			if err != nil {
				return fmt.Errorf("facts of %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			facts[name] = f
			return nil
		})
	}
	return facts, all.Wait()
}
