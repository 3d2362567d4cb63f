package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/topology"
)

// Download is one client fetching one fixture through the swarm.
type Download struct {
	bed    *Bed
	client topology.Node
	file   fixtures.File
	path   string
	cancel context.CancelFunc
	done   chan struct{}
	before ledger.Book

	mu     sync.Mutex
	record history.Download
}

// Download starts a download inside a peer's container and returns at once. It ends at
// the latest when the system's own bound for it is over.
func (b *Bed) Download(ctx context.Context, client topology.Node, file fixtures.File) *Download {
	b.tb.Helper()
	b.step(fmt.Sprintf("download %s on %s", file.Name, client.Name))
	before, err := b.Ledger(ctx)
	if err != nil {
		b.infra(fmt.Errorf("ledger before a download: %w", err))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.Bounds().Download+Observation)
	b.mu.Lock()
	d := &Download{
		bed: b, client: client, file: file, cancel: cancel, done: make(chan struct{}), before: before,
		path:   fmt.Sprintf("/download-%d", len(b.downloads)+1),
		record: history.Download{Peer: client.Name, File: file.Name, StartedMS: b.now()},
	}
	b.downloads = append(b.downloads, d)
	b.mu.Unlock()
	go d.run(ctx)
	return d
}

// run fetches, then looks at what lies on the client's disk. What dfget says of itself
// is kept as a claim.
func (d *Download) run(ctx context.Context) {
	defer close(d.done)
	defer d.cancel()
	s, container := d.bed.session, d.bed.Container(d.client.Name)
	url := fmt.Sprintf("http://%s/files/%s", d.bed.Origin().Name, d.file.Name)
	stdout, stderr, code, err := s.Engine.Exec(ctx, container, s.System.Download(url, d.path, d.file.SHA256, d.bed.Bounds().Download))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record.TookMS = d.bed.now() - d.record.StartedMS
	if err != nil {
		d.record.Error = err.Error()
		return
	}
	claim, err := s.System.Claim(stdout)
	switch {
	case err != nil && code != 0:
		d.record.Error = fmt.Sprintf("exit status %d: %s", code, bytes.TrimSpace(stderr))
	case err != nil:
		d.record.Error = err.Error()
	case code != 0 || !claim.OK:
		d.record.Error = fmt.Sprintf("exit status %d: %s", code, claim.Error)
	}
	d.record.Claimed = claim.From
	digest, size, err := s.Agent.HashFile(ctx, container, d.path)
	switch {
	case err == nil:
		d.record.Bytes, d.record.SHA256OK = size, digest == d.file.SHA256
	case !errors.Is(err, fs.ErrNotExist) && d.record.Error == "":
		d.record.Error = err.Error()
	}
	if now, err := d.bed.Ledger(ctx); err == nil {
		d.record.From = now.Since(d.before).From(d.client.Name, d.bed.topo, d.bed.content)
	} else if d.record.Error == "" {
		d.record.Error = err.Error()
	}
}

// Wait returns how the download ended. A download whose outcome cannot be known ends
// the spec.
func (d *Download) Wait(ctx context.Context) history.Download {
	d.bed.tb.Helper()
	select {
	case <-d.done:
	case <-ctx.Done():
		d.bed.tb.Fatalf("waited for the download of %s on %s: %v; last seen: %.0f %% arrived",
			d.file.Name, d.client.Name, context.Cause(ctx), 100*d.Progress(context.WithoutCancel(ctx)))
	}
	r := d.Record()
	d.bed.step(fmt.Sprintf("%s on %s: %d bytes in %d ms from origin %d, seeds %d, peers %d %s",
		r.File, r.Peer, r.Bytes, r.TookMS, r.From.Origin, r.From.Seeds, r.From.Peers, r.Error))
	return r
}

// Record is what is known of the download so far.
func (d *Download) Record() history.Download {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record
}

// Progress is how much of the file has passed over the client's links, 0 to 1.
func (d *Download) Progress(ctx context.Context) float64 {
	now, err := d.bed.Ledger(ctx)
	if err != nil {
		return 0
	}
	return float64(now.Since(d.before).From(d.client.Name, d.bed.topo, d.bed.content).Total()) / float64(d.file.Size)
}
