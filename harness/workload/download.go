// Package workload is what clients do on a bed: downloads, each a client fetching one
// fixture through the swarm, and its recorded outcome.
package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
)

// Ground is where a download runs: the client's container on its bed.
type Ground interface {
	// Exec runs a command in the client's container.
	Exec(ctx context.Context, cmd []string) (stdout, stderr []byte, code int, err error)
	// Hash reads the SHA-256 and the size of a file in the client's container; a file
	// that is not there is fs.ErrNotExist.
	Hash(ctx context.Context, path string) (sha256 string, size int64, err error)
	// From sums what the client got over its links since the download began.
	From(ctx context.Context) (history.From, error)
	// Now is the bed's clock in milliseconds.
	Now() int64
	// Trouble notes that the harness, not the system, failed.
	Trouble(error)
}

// Download is one client fetching one fixture.
type Download struct {
	ground Ground
	under  system.System
	file   fixtures.File
	path   string
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	record history.Download
}

// Start begins to fetch url, where file is, to path in the client's container, and
// returns at once. The client is given limit; the download ends a little later at most.
func Start(ctx context.Context, g Ground, under system.System, client, url, path string, file fixtures.File, limit time.Duration) *Download {
	const grace = 5 * time.Second // for the client to come to its own end
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+grace)
	d := &Download{
		ground: g, under: under, file: file, path: path, cancel: cancel, done: make(chan struct{}),
		record: history.Download{Peer: client, File: file.Name, StartedMS: g.Now()},
	}
	go d.run(ctx, under.Download(url, path, file.SHA256, limit))
	return d
}

// run fetches, then looks at what lies on the client's disk. What the client says of
// itself is kept as a claim.
func (d *Download) run(ctx context.Context, cmd []string) {
	defer close(d.done)
	defer d.cancel()
	stdout, stderr, code, err := d.ground.Exec(ctx, cmd)
	outcome := d.Record()
	outcome.TookMS = d.ground.Now() - outcome.StartedMS
	if err != nil {
		outcome.Error = err.Error()
		if ctx.Err() == nil {
			d.ground.Trouble(fmt.Errorf("download of %s: %w", d.file.Name, err))
		}
		d.set(outcome)
		return
	}
	claim, err := d.under.Claim(stdout)
	switch {
	case err != nil && code != 0:
		outcome.Error = fmt.Sprintf("exit status %d: %s", code, bytes.TrimSpace(stderr))
	case err != nil:
		outcome.Error = err.Error()
	case code != 0 || !claim.OK:
		outcome.Error = fmt.Sprintf("exit status %d: %s", code, claim.Error)
	}
	outcome.Claimed = claim.From
	digest, size, err := d.ground.Hash(ctx, d.path)
	switch {
	case err == nil:
		outcome.Bytes, outcome.SHA256OK = size, digest == d.file.SHA256
	case !errors.Is(err, fs.ErrNotExist):
		d.ground.Trouble(fmt.Errorf("download of %s: %w", d.file.Name, err))
	case outcome.Error == "":
		outcome.Error = "it says that it ended well, and left no file"
	}
	if outcome.From, err = d.ground.From(ctx); err != nil {
		d.ground.Trouble(fmt.Errorf("download of %s: %w", d.file.Name, err))
	}
	d.set(outcome)
}

func (d *Download) set(r history.Download) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = r
}

// Record is what is known of the download so far.
func (d *Download) Record() history.Download {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record
}

// Ended says whether the download is over.
func (d *Download) Ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// End stops the download where it stands and returns when it has ended.
func (d *Download) End() {
	d.cancel()
	<-d.done
}

// Wait returns how the download ended, or an error if it has not when ctx ends.
func (d *Download) Wait(ctx context.Context) (history.Download, error) {
	select {
	case <-d.done:
		return d.Record(), nil
	case <-ctx.Done():
		share, err := d.Progress(context.WithoutCancel(ctx))
		return d.Record(), errors.Join(fmt.Errorf("waited for the download of %s on %s: %w; last seen: %.0f %% arrived",
			d.file.Name, d.Record().Peer, context.Cause(ctx), 100*share), err)
	}
}

// Progress is how much of the file has passed over the client's links, 0 to 1.
func (d *Download) Progress(ctx context.Context) (float64, error) {
	from, err := d.ground.From(ctx)
	return float64(from.Total()) / float64(d.file.Size), err
}
