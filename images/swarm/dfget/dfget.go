// Package dfget is the client of a peer's daemon: it fetches one URL through the
// swarm into one file, and from the origin itself when the daemon cannot help.
package dfget

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/source"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// Request is one file to fetch. Digest is the SHA-256 in hex, or "".
type Request struct {
	URL, Output, Digest string
	Socket              string
	Timeout             time.Duration
	BackSource          bool
	Capabilities        swarm.Capabilities
	Profile             timers.Profile
	// Stack opens the connections; nil is the operating system's.
	Stack wire.Stack
}

// Result is the outcome, as --json prints it.
type Result struct {
	OK     bool   `json:"ok"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	TookMS int64  `json:"took_ms"`
	From   From   `json:"from"`
	Error  string `json:"error"`
	Mode   string `json:"mode"`
}

// From counts the bytes that were moved for this request by the kind of node that
// gave them; a file that the daemon already held moves none.
type From struct {
	Origin int64 `json:"origin"`
	Seeds  int64 `json:"seeds"`
	Peers  int64 `json:"peers"`
}

// The modes of a result.
const (
	modeDaemon = "daemon"
	modeSource = "source"
)

// errUnreachable is in the chain when no daemon answered at all.
var errUnreachable = errors.New("the daemon cannot be reached")

// sourceAttempts is how often in a row an origin may fail without one new byte.
const sourceAttempts = 5

// Get fetches a file. On failure no part of it stays under the output's name.
func Get(ctx context.Context, r Request) Result {
	started := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("not done within %s: %w", r.Timeout, context.DeadlineExceeded))
	defer cancel()
	g := &getting{Request: r, sum: sha256.New(), result: Result{Mode: modeDaemon}}
	err := g.run(ctx)
	g.result.TookMS = time.Since(started).Milliseconds()
	g.result.OK = err == nil
	if err != nil {
		if why := context.Cause(ctx); why != nil {
			err = fmt.Errorf("%w: %w", why, err)
		}
		g.result.Error = err.Error()
	}
	return g.result
}

// getting is one request under way.
type getting struct {
	Request
	file   *os.File
	sum    hash.Hash
	bytes  int64
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
	if g.Digest != "" && g.Digest != g.result.SHA256 {
		return fmt.Errorf("%w: the file is %s, promised was %s", cause.ErrCorrupt, g.result.SHA256, g.Digest)
	}
	if err := g.file.Close(); err != nil {
		return fmt.Errorf("close output: %w", err)
	}
	if err := os.Rename(part, g.Output); err != nil {
		return fmt.Errorf("name output: %w", err)
	}
	return nil
}

// fetch asks the daemon, then the origin. A release without fallback gives up
// when a daemon that was there failed.
func (g *getting) fetch(ctx context.Context) error {
	err := g.fromDaemon(ctx)
	if err == nil || ctx.Err() != nil || !g.BackSource {
		return err
	}
	if !errors.Is(err, errUnreachable) && !g.Capabilities.SeedFallback {
		return err
	}
	g.result.Mode = modeSource
	if sourceErr := g.fromSource(ctx); sourceErr != nil {
		return errors.Join(err, sourceErr)
	}
	return nil
}

func (g *getting) Write(p []byte) (int, error) {
	n, err := g.file.Write(p)
	g.sum.Write(p[:n])
	g.bytes += int64(n)
	return n, err
}

func (g *getting) fromDaemon(ctx context.Context) error {
	stack := wire.NewNetwork(g.Stack, g.Profile).Stack
	conn, err := grpc.NewClient("passthrough:///daemon", grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return stack.DialContext(ctx, "unix", g.Socket) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: g.Profile.DialTimeout}))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer func() { _ = conn.Close() }()
	// A daemon that is stopped, or out of descriptors, takes the call and says nothing.
	limit := 2 * g.Profile.StallTimeout
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w: the daemon is silent for %s", cause.ErrStalled, limit)) })
	defer silence.Stop()
	stream, err := pb.NewLocalClient(conn).Download(ctx, &pb.DownloadRequest{Url: g.URL, Digest: g.Digest})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	for heard := false; ; heard = true {
		event, err := stream.Recv()
		if err != nil && errors.Is(context.Cause(ctx), cause.ErrStalled) {
			err = context.Cause(ctx)
		}
		silence.Reset(limit)
		switch {
		case err != nil && cause.RefusalOf(err) != nil:
			return fmt.Errorf("daemon: %s", cause.RefusalOf(err).GetReason())
		case err != nil && !heard:
			return fmt.Errorf("%w: %w", errUnreachable, err)
		case err != nil:
			return fmt.Errorf("daemon: %w", err)
		}
		if result := event.GetResult(); result != nil {
			g.result.From = From{result.GetFromOrigin(), result.GetFromSeeds(), result.GetFromPeers()}
			return nil
		}
		if _, err := g.Write(event.GetChunk()); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
}

// fromSource gets what is still missing from the origin.
func (g *getting) fromSource(ctx context.Context) error {
	client := wire.NewNetwork(g.Stack, g.Profile).HTTPClient()
	defer client.CloseIdleConnections()
	g.result.From = From{}
	pause := g.Profile.RetryInitial
	for failures := 0; ; {
		before := g.bytes
		total, err := g.rest(ctx, client)
		g.result.From.Origin += g.bytes - before
		if err == nil && g.bytes >= total {
			return nil
		}
		if g.bytes > before {
			failures, pause = 0, g.Profile.RetryInitial
		} else if failures++; errors.Is(err, source.ErrPermanent) || failures == sourceAttempts {
			return fmt.Errorf("origin %s: %w", source.Target(g.URL), err)
		}
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("origin %s: %w", source.Target(g.URL), err)
		case <-time.After(pause):
			pause = min(2*pause, g.Profile.RetryMax)
		}
	}
}

// rest asks the origin once for all from here to the end.
func (g *getting) rest(ctx context.Context, client *http.Client) (total int64, err error) {
	body, _, err := source.Open(ctx, client, g.URL, g.bytes, 1<<40, g.Profile)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	_, err = io.Copy(g, body)
	return body.Total, err
}
