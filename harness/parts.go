package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Preheat makes a seed bring a file into the swarm, and returns when it has.
func (b *Bed) Preheat(ctx context.Context, seed topology.Node, file fixtures.File) error {
	b.tb.Helper()
	b.step(fmt.Sprintf("preheat %s on %s", file.Name, seed.Name))
	return b.command(ctx, seed, func(f system.Fetching) []string { return f.Preheat(b.url(file), file.SHA256, b.Bounds().Download) })
}

// FetchPart makes a peer fetch length bytes of a file from offset on, and says what
// passed over its links for that.
func (b *Bed) FetchPart(ctx context.Context, peer topology.Node, file fixtures.File, offset, length int64) (history.From, error) {
	b.tb.Helper()
	b.step(fmt.Sprintf("fetch %d bytes of %s on %s", length, file.Name, peer.Name))
	before, err := b.Ledger(ctx)
	if err != nil {
		return history.From{}, err
	}
	const path = "/part"
	if err := b.command(ctx, peer, func(f system.Fetching) []string {
		return f.Part(b.url(file), path, offset, length, b.Bounds().Download)
	}); err != nil {
		return history.From{}, err
	}
	g := ground{b, peer, before}
	if _, size, err := g.Hash(ctx, path); err != nil || size != length {
		return history.From{}, errors.Join(err, fmt.Errorf("%s on %s has %d bytes instead of %d", path, peer.Name, size, length))
	}
	return g.From(ctx)
}

// command runs a client in a node's container and wants it to end well.
func (b *Bed) command(ctx context.Context, n topology.Node, of func(system.Fetching) []string) error {
	f, ok := b.session.System.(system.Fetching)
	if !ok {
		return fmt.Errorf("the clients of %s cannot do that", b.session.System.Name())
	}
	stdout, stderr, code, err := b.session.Engine.Exec(ctx, b.Container(n.Name), of(f))
	if err == nil && code != 0 {
		err = fmt.Errorf("on %s: exit status %d: %s %s", n.Name, code, bytes.TrimSpace(stdout), bytes.TrimSpace(stderr))
	}
	return err
}
