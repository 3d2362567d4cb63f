package harness

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// Download starts a download inside a peer's container and returns at once. It ends at
// the latest when the system's own bound for it is over.
func (b *Bed) Download(ctx context.Context, client topology.Node, file fixtures.File) *workload.Download {
	b.tb.Helper()
	b.step(fmt.Sprintf("download %s on %s", file.Name, client.Name))
	before, err := b.Ledger(ctx)
	if err != nil {
		b.infra(fmt.Errorf("ledger before a download: %w", err))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := workload.Start(ctx, ground{b, client.Name, before}, b.session.System, client.Name,
		fmt.Sprintf("http://%s/files/%s", b.Origin().Name, file.Name), fmt.Sprintf("/download-%d", len(b.downloads)+1),
		file, b.Bounds().Download)
	b.downloads = append(b.downloads, d)
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
	client string
	before ledger.Book
}

func (g ground) Exec(ctx context.Context, cmd []string) (stdout, stderr []byte, code int, err error) {
	return g.bed.session.Engine.Exec(ctx, g.bed.Container(g.client), cmd)
}

func (g ground) Hash(ctx context.Context, path string) (string, int64, error) {
	return g.bed.session.Agent.HashFile(ctx, g.bed.Container(g.client), path)
}

func (g ground) From(ctx context.Context) (history.From, error) {
	now, err := g.bed.Ledger(ctx)
	return now.Since(g.before).From(g.client, g.bed.topo, g.bed.content), err
}

func (g ground) Now() int64 { return g.bed.now() }

func (g ground) Trouble(err error) { g.bed.trouble(err) }
