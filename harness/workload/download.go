// Package workload is what clients do on a bed: downloads, each a client fetching one
// fixture through the swarm, and its recorded outcome.
package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	// Counted is what the system counts of it itself; see system.Witness.
	Counted(ctx context.Context) (history.From, error)
	// Now is the bed's clock in milliseconds.
	Now() int64
	// Trouble notes that the harness, not the system, failed.
	Trouble(error)
}

// Download is one client fetching one fixture.
type Download struct {
	ground Ground
	file   fixtures.File
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	record history.Download
}

// Start begins to fetch url, where file is, to path in the client's container, and
// returns at once. The client is given limit; the download ends a little later at most.
func Start(ctx context.Context, g Ground, under system.System, client, url, path string, file fixtures.File, limit time.Duration) *Download {
	const grace = 5 * time.Second // for the client to come to its own end
	return start(ctx, g, client, file, limit, grace, command{g, under, under.Download(url, path, file.SHA256, limit), path})
}

// StartProxied begins to fetch url through the HTTP proxy that dial connects to. What
// arrives is hashed on the way and kept nowhere.
func StartProxied(ctx context.Context, g Ground, client, url string, dial Dial, file fixtures.File, limit time.Duration) *Download {
	return start(ctx, g, client, file, limit, 0, proxied{url, dial})
}

func start(ctx context.Context, g Ground, client string, file fixtures.File, limit, grace time.Duration, by way) *Download {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+grace)
	_, through := by.(proxied)
	d := &Download{
		ground: g, file: file, cancel: cancel, done: make(chan struct{}),
		record: history.Download{Peer: client, File: file.Name, Size: file.Size, LimitMS: limit.Milliseconds(), StartedMS: g.Now(), Proxied: through},
	}
	go d.run(ctx, by)
	return d
}

// way is how a client fetches.
type way interface {
	// fetch returns what arrived and what the client says of it; trouble is what went
	// wrong in the harness.
	fetch(ctx context.Context) (got arrival, trouble error)
}

// arrival is what arrived, and why not all of it.
type arrival struct {
	bytes  int64
	sha256 string
	failed string
	claim  system.Claim
}

// run fetches, then looks at what arrived and where it came from. What the client says
// of itself is kept as a claim, what the system counted as a witness.
func (d *Download) run(ctx context.Context, by way) {
	defer close(d.done)
	defer d.cancel()
	before, unheard := d.ground.Counted(ctx)
	got, err := by.fetch(ctx)
	outcome := d.Record()
	outcome.TookMS = d.ground.Now() - outcome.StartedMS
	outcome.Error, outcome.Claimed = got.failed, got.claim.From
	outcome.Bytes, outcome.SHA256OK = got.bytes, got.sha256 == d.file.SHA256
	if err != nil {
		outcome.Error = err.Error()
		if ctx.Err() == nil {
			d.ground.Trouble(fmt.Errorf("download of %s: %w", d.file.Name, err))
		}
	}
	ctx = context.WithoutCancel(ctx) // Ground has deadlines of its own
	if outcome.From, err = d.ground.From(ctx); err != nil {
		d.ground.Trouble(fmt.Errorf("download of %s: %w", d.file.Name, err))
	}
	// A command that fetched by itself when its daemon had failed is in no daemon's count.
	after, err := d.ground.Counted(ctx)
	switch err := cmp.Or(unheard, err); {
	case errors.Is(err, system.ErrNotCounted):
	case err != nil: // a fault may have taken the witness away
		outcome.Unheard = err.Error()
	case after.Origin < before.Origin:
		outcome.Unheard = "its counters began anew"
	case outcome.Error == "" && got.claim.Error == "":
		outcome.Witness = &history.From{
			Origin: after.Origin - before.Origin, Seeds: after.Seeds - before.Seeds, Peers: after.Peers - before.Peers,
		}
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

// Await returns when the download has ended, in whatever way.
func (d *Download) Await() { <-d.done }

// End stops the download where it stands and returns when it has ended.
func (d *Download) End() {
	d.cancel()
	d.Await()
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
