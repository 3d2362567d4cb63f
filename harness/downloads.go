package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// Download starts a download inside a peer's container and returns at once. It ends at
// the latest when the system's own bound for it is over.
func (b *Bed) Download(ctx context.Context, client topology.Node, file fixtures.File) *workload.Download {
	b.tb.Helper()
	b.step(fmt.Sprintf("download %s on %s", file.Name, client.Name))
	return b.fetch(ctx, client, func(g ground, number int) *workload.Download {
		return workload.Start(ctx, g, b.session.System, client.Name, b.url(file), fmt.Sprintf("/download-%d", number), file, b.Bounds().Download)
	})
}

// DownloadVia starts a download through the HTTP proxy on a port of a peer, asked for by
// another node, or by the peer itself. It is recorded as the peer's, and ends when the
// peer has had the time to turn to another source twice.
func (b *Bed) DownloadVia(ctx context.Context, client, peer topology.Node, port int, file fixtures.File) *workload.Download {
	b.tb.Helper()
	b.step(fmt.Sprintf("download %s on %s via %s:%d", file.Name, client.Name, peer.Name, port))
	proxy := netip.AddrPortFrom(b.nodes[peer.Name].address, uint16(port)) //nolint:gosec // a port
	return b.fetch(ctx, peer, func(g ground, _ int) *workload.Download {
		return workload.StartProxied(ctx, g, peer.Name, b.url(file), func(ctx context.Context) (net.Conn, error) {
			conn, err := b.inside().Dial(ctx, client.Name, proxy.String())
			if errors.Is(err, agent.ErrGone) || errors.Is(err, agent.ErrNodeGone) {
				b.trouble(err) // the way into the client, not the proxy
			}
			return conn, err
		}, file, 2*b.Bounds().Fallback)
	})
}

func (b *Bed) url(file fixtures.File) string {
	return fmt.Sprintf("http://%s/files/%s", b.Origin().Name, file.Name)
}

func (b *Bed) fetch(ctx context.Context, client topology.Node, begin func(g ground, number int) *workload.Download) *workload.Download {
	b.tb.Helper()
	before, err := b.Ledger(ctx)
	if err != nil {
		b.infra(fmt.Errorf("ledger before a download: %w", err))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark = before
	d := begin(ground{b, client, before}, len(b.downloads)+1)
	b.downloads = append(b.downloads, d)
	what := d.Record().File + " on " + client.Name
	b.note(Downloading, false, what)
	go func() {
		d.Await()
		b.note(Downloading, true, what)
	}()
	return d
}

// UnderWay ends the spec as INCONCLUSIVE unless the download still runs: what was to
// happen in the middle of it came too late.
func (b *Bed) UnderWay(d *workload.Download) {
	b.tb.Helper()
	if d.Ended() {
		b.doubt(fmt.Sprintf("the download of %s ended before it could be disturbed", d.Record().File))
	}
}

// doubt ends the spec because it can no longer prove anything.
func (b *Bed) doubt(why string) {
	b.tb.Helper()
	b.mu.Lock()
	b.history.Doubts = append(b.history.Doubts, why)
	b.mu.Unlock()
	b.tb.Fatalf("%s: %s", history.Inconclusive, why)
}

// ground is a client's place on the bed.
type ground struct {
	bed    *Bed
	client topology.Node
	before ledger.Book
}

// Exec makes a client that has died one that failed: that is no trouble of ours.
func (g ground) Exec(ctx context.Context, cmd []string) (stdout, stderr []byte, code int, err error) {
	stdout, stderr, code, err = g.bed.session.Engine.Exec(ctx, g.bed.Container(g.client.Name), cmd)
	if err != nil && ctx.Err() == nil {
		if status, endErr := g.bed.session.Engine.Ended(ctx, g.bed.Container(g.client.Name)); endErr == nil {
			return stdout, fmt.Appendf(stderr, "%s has ended: %v", g.client.Name, err), status, nil
		}
	}
	return stdout, stderr, code, err
}

// ended says whether the client's container runs no more.
func (g ground) ended(ctx context.Context) bool {
	_, err := g.bed.session.Engine.Ended(ctx, g.bed.Container(g.client.Name))
	return err == nil
}

func (g ground) Hash(ctx context.Context, path string) (string, int64, error) {
	sum, size, err := g.bed.session.Agent.HashFile(ctx, g.bed.Container(g.client.Name), path)
	if errors.Is(err, agent.ErrNodeGone) || err != nil && g.ended(ctx) {
		return sum, size, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return sum, size, err
}

func (g ground) From(ctx context.Context) (history.From, error) {
	ctx, cancel := context.WithTimeout(ctx, Observation)
	defer cancel()
	now, err := g.bed.Ledger(ctx)
	g.bed.layout.RLock()
	defer g.bed.layout.RUnlock()
	return now.Since(g.before).From(g.client.Name, g.bed.topo, g.bed.content), err
}

func (g ground) Counted(ctx context.Context) (history.From, error) {
	ctx, cancel := context.WithTimeout(ctx, Observation)
	defer cancel()
	w, ok := g.bed.session.System.(system.Witness)
	if !ok {
		return history.From{}, system.ErrNotCounted
	}
	return w.Counted(ctx, g.bed.inside(), g.client)
}

func (g ground) Now() int64 { return g.bed.now() }

func (g ground) Trouble(err error) { g.bed.trouble(err) }
