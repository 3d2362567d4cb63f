// Package dfget is the client of a peer's daemon: it fetches one URL, or a part of it,
// through the swarm into one file, and from the origin itself when the daemon cannot
// help.
package dfget

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/source"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// Request is one file to fetch. Digest is the SHA-256 of all of it in hex, or "".
type Request struct {
	URL, Output, Digest string
	// Part is what to fetch of the file; its offset is not negative.
	Part         piece.Part
	Socket       string
	Timeout      time.Duration
	BackSource   bool
	Capabilities swarm.Capabilities
	Profile      timers.Profile
	// Progress is told how many bytes have come, of how many, or -1 while that is not
	// known; nil for nobody.
	Progress func(come, total int64)
	// Stack opens the connections; nil is the operating system's.
	Stack wire.Stack
}

// The modes of a result.
const (
	modeDaemon = "daemon"
	modeSource = "source"
)

// sourceAttempts is how often in a row an origin may fail without one new byte.
const sourceAttempts = 5

// Get fetches a file. On failure no part of it stays under the output's name, and
// what was there before stays.
func Get(ctx context.Context, r Request) Result {
	return r.within(ctx, func(ctx context.Context, g *getting) error { return g.run(ctx) })
}

// within does a request in the time that it has.
func (r Request) within(ctx context.Context, do func(context.Context, *getting) error) Result {
	started := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("%w of %s", errLimit, r.Timeout))
	defer cancel()
	g := &getting{Request: r, sum: sha256.New(), result: Result{Mode: modeDaemon}}
	err := do(ctx, g)
	g.result.TookMS = time.Since(started).Milliseconds()
	g.result.settle(ctx, err)
	return g.result
}

// getting is one request under way.
type getting struct {
	Request
	file   *os.File
	sum    hash.Hash
	bytes  int64
	total  int64 // length of the file, as daemon or origin stated it
	result Result
}

func (g *getting) run(ctx context.Context) (err error) {
	part := g.Output + ".tmp"
	if err := os.MkdirAll(filepath.Dir(g.Output), 0o750); err != nil {
		return fmt.Errorf("make the output's folder: %w", err)
	}
	if g.file, err = os.Create(part); err != nil {
		return fmt.Errorf("create output: %w", err)
	}
	defer func() {
		if err != nil {
			_ = g.file.Close()
			_ = os.Remove(part)
		}
	}()
	if err := g.fetch(ctx); err != nil {
		return err
	}
	g.result.Bytes, g.result.SHA256 = g.bytes, hex.EncodeToString(g.sum.Sum(nil))
	if g.Digest != "" && g.Part == (piece.Part{}) && g.Digest != g.result.SHA256 {
		return fmt.Errorf("%w: the file of origin %s, got by way of %s, is %s, promised was %s",
			cause.ErrCorrupt, source.Target(g.URL), g.result.Mode, g.result.SHA256, g.Digest)
	}
	if err := g.file.Close(); err != nil {
		return fmt.Errorf("close output: %w", err)
	}
	if err := os.Rename(part, g.Output); err != nil {
		return fmt.Errorf("name output: %w", err)
	}
	return nil
}

func (g *getting) tell(come, total int64) {
	if g.Progress != nil {
		g.Progress(come, total)
	}
}

// fetch asks the daemon, then the origin. A release without fallback gives up
// when a daemon that was there failed; and an origin that refused the daemon is not
// asked again.
func (g *getting) fetch(ctx context.Context) error {
	err := g.fromDaemon(ctx)
	if err == nil || ctx.Err() != nil || !g.BackSource {
		return err
	}
	if !errors.Is(err, errUnreachable) && !g.Capabilities.SeedFallback {
		return err
	}
	if why := cause.Of(err); why == cause.NotFound || why == cause.Forbidden {
		return err
	}
	g.result.Mode = modeSource
	if cause.Of(err) == cause.Corrupt { // what came is not to be built upon
		if again := g.restart(); again != nil {
			return again
		}
	}
	if sourceErr := g.fromSource(ctx); sourceErr != nil {
		return chain{err, sourceErr}
	}
	return nil
}

// restart forgets what has come.
func (g *getting) restart() error {
	g.sum.Reset()
	g.bytes = 0
	if err := g.file.Truncate(0); err != nil {
		return fmt.Errorf("empty output: %w", err)
	}
	if _, err := g.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("empty output: %w", err)
	}
	return nil
}

func (g *getting) Write(p []byte) (int, error) {
	n, err := g.file.Write(p)
	g.sum.Write(p[:n])
	g.bytes += int64(n)
	return n, err
}

// fromSource gets what is still missing from the origin.
func (g *getting) fromSource(ctx context.Context) error {
	client := wire.NewNetwork(g.Stack, g.Profile).HTTPClient()
	defer client.CloseIdleConnections()
	g.result.From = From{}
	pause := g.Profile.RetryInitial
	for failures := 0; ; {
		before := g.bytes
		done, err := g.rest(ctx, client)
		g.result.From.Origin += g.bytes - before
		if done {
			return nil
		}
		if g.bytes > before {
			failures, pause = 0, g.Profile.RetryInitial
		} else if failures++; errors.Is(err, source.ErrPermanent) || failures == sourceAttempts {
			return fmt.Errorf("origin %s: %w", source.Target(g.URL), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("origin %s: %w", source.Target(g.URL), err)
		case <-time.After(pause):
			pause = min(2*pause, g.Profile.RetryMax)
		}
	}
}

// rest asks the origin once for all from here to the end of the part.
func (g *getting) rest(ctx context.Context, client *http.Client) (done bool, err error) {
	want := int64(1 << 40)
	if g.Part.Length > 0 {
		want = g.Part.Length - g.bytes
	}
	body, _, err := source.Open(ctx, client, g.URL, g.Part.Offset+g.bytes, want, g.Profile)
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }()
	if g.total > 0 && g.total != body.Total {
		return false, fmt.Errorf("%w: the file has %d bytes now, %d before", source.ErrChanged, body.Total, g.total)
	}
	g.total = body.Total
	_, length, ok := g.Part.Resolve(body.Total)
	if !ok {
		return false, fmt.Errorf("%w: the file has no such part: it has %d bytes", source.ErrPermanent, body.Total)
	}
	told := writer(func(p []byte) (int, error) {
		n, err := g.Write(p)
		g.tell(g.bytes, length)
		return n, err
	})
	_, err = io.Copy(told, io.LimitReader(body, length-g.bytes))
	if err == nil && g.bytes < length {
		err = fmt.Errorf("%w: it ended after %d of %d bytes", io.ErrUnexpectedEOF, g.bytes, length)
	}
	return g.bytes == length, err
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
