package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// FetchPart makes a peer fetch length bytes of a file from offset on, and says what
// passed over its links for that. A part that is not what it should be is an error.
func (b *Bed) FetchPart(ctx context.Context, peer topology.Node, file fixtures.File, offset, length int64) (history.From, error) {
	b.tb.Helper()
	p, ok := b.session.System.(system.Parting)
	if !ok {
		return history.From{}, fmt.Errorf("clients of %s fetch whole files: use needs(\"parts\")", b.session.System.Name())
	}
	b.step(fmt.Sprintf("fetch %d bytes of %s on %s", length, file.Name, peer.Name))
	before, err := b.Ledger(ctx)
	if err != nil {
		return history.From{}, err
	}
	const path = "/part"
	stdout, stderr, code, err := b.session.Engine.Exec(ctx, b.Container(peer.Name), p.Part(b.url(file), path, offset, length, b.Bounds().Download))
	if err := b.final(err); err != nil {
		return history.From{}, err
	}
	if code != 0 {
		return history.From{}, fmt.Errorf("fetch a part on %s: exit status %d: %s %s", peer.Name, code, bytes.TrimSpace(stdout), bytes.TrimSpace(stderr))
	}
	g := ground{b, peer, before}
	sum, size, err := g.Hash(ctx, path)
	if err != nil || size != length {
		return history.From{}, errors.Join(err, fmt.Errorf("%s on %s has %d bytes instead of %d", path, peer.Name, size, length))
	}
	if want, err := digest(file, offset, length); err != nil || sum != want {
		return history.From{}, errors.Join(err, fmt.Errorf("%s on %s is not the part of %s from %d on: its digest differs", path, peer.Name, file.Name, offset))
	}
	return g.From(ctx)
}

// digest is the SHA-256 of a part of a file, in lower-case hex.
func digest(file fixtures.File, offset, length int64) (string, error) {
	file.Name, _, _ = strings.Cut(file.Name, "?") // how the origin is to send it is no part of it
	content := fixtures.Reader(file)
	if _, err := content.Seek(offset, io.SeekStart); err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, content, length); err != nil {
		return "", fmt.Errorf("%d bytes of %s from %d on: %w", length, file.Name, offset, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
