package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Part is length bytes of a file from offset on.
type Part struct{ Offset, Length int64 }

// FetchParts makes a peer fetch parts of a file, all at the same moment, and says what
// passed over its links for that. A part that is not what it should be is an error.
func (b *Bed) FetchParts(ctx context.Context, peer topology.Node, file fixtures.File, parts ...Part) (history.From, error) {
	b.tb.Helper()
	p, ok := b.session.System.(system.Parting)
	if !ok {
		return history.From{}, fmt.Errorf("clients of %s fetch whole files: use needs(\"parts\")", b.session.System.Name())
	}
	b.step(fmt.Sprintf("fetch %v of %s on %s", parts, file.Name, peer.Name))
	before, err := b.Ledger(ctx)
	if err != nil {
		return history.From{}, err
	}
	g := ground{b, peer, before}
	all, each := errgroup.WithContext(ctx)
	for i, part := range parts {
		all.Go(func() error { return b.fetchPart(each, g, p, file, part, fmt.Sprintf("/part-%d", i+1)) })
	}
	if err := all.Wait(); err != nil {
		return history.From{}, err
	}
	return g.From(ctx)
}

// String implements fmt.Stringer.
func (p Part) String() string { return fmt.Sprintf("%d bytes from %d on", p.Length, p.Offset) }

func (b *Bed) fetchPart(ctx context.Context, g ground, p system.Parting, file fixtures.File, part Part, path string) error {
	stdout, stderr, code, err := g.Exec(ctx, p.Part(b.url(file), path, part.Offset, part.Length, b.Bounds().Download))
	if err := b.final(err); err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("fetch %v on %s: exit status %d: %s %s", part, g.client.Name, code, bytes.TrimSpace(stdout), bytes.TrimSpace(stderr))
	}
	sum, size, err := g.Hash(ctx, path)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", path, g.client.Name, err)
	}
	if size != part.Length {
		return fmt.Errorf("%s on %s has %d bytes instead of %d", path, g.client.Name, size, part.Length)
	}
	want, err := digest(file, part)
	if err == nil && sum != want {
		err = fmt.Errorf("%s on %s is not %v of %s: its digest differs", path, g.client.Name, part, file.Name)
	}
	return err
}

// digest is the SHA-256 of a part of a file, in lower-case hex.
func digest(file fixtures.File, p Part) (string, error) {
	file.Name, _, _ = strings.Cut(file.Name, "?") // how the origin is to send it is no part of it
	content := fixtures.Reader(file)
	if _, err := content.Seek(p.Offset, io.SeekStart); err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, content, p.Length); err != nil {
		return "", fmt.Errorf("%v of %s: %w", p, file.Name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
