package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/source"
)

// spanBytes is the length of one request to an origin.
const spanBytes = source.Span

// fetchSpan gets count pieces from first on from the origin, in one request. Of a
// file whose length is not known yet, it gets the first span and learns the length.
// It returns how many pieces came of it, also with an error.
func (c *conductor) fetchSpan(first, count, attempt int) (came int, err error) {
	came, err = c.openSpan(c.ctx, first, count, attempt)
	if err != nil && c.ctx.Err() == nil && !ours(err) {
		return came, fmt.Errorf("origin %s: %w", source.Target(c.t.url), err)
	}
	return came, err
}

func (c *conductor) openSpan(ctx context.Context, first, count, attempt int) (came int, err error) {
	target := source.Target(c.t.url)
	offset, length := int64(0), int64(spanBytes)
	if count == 0 && !c.t.wantedWhole() {
		length = 1 // nobody is known to want the beginning: learn the length only
	}
	if count > 0 {
		offset, _ = c.t.span(first)
		lastOffset, lastLength := c.t.span(first + count - 1)
		length = lastOffset + lastLength - offset
	}
	var ip string
	defer func() {
		if err != nil && ctx.Err() == nil && !ours(err) {
			c.d.reporter.Failed(diag.Origin, target, ip, attempt, err)
		}
	}()
	body, ip, err := source.Open(ctx, c.d.http, c.t.url, offset, length, c.d.cfg.Profile)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	layout, err := c.t.settleLength(body.Total)
	if err != nil {
		return 0, err
	}
	if err := c.d.makeRoom(c.t); err != nil {
		return 0, err
	}
	if count == 0 && !c.t.wantedWhole() {
		return 0, nil // its length was all that was asked for
	}
	if count == 0 {
		count = int(min(int64(layout.Count()), (spanBytes+layout.Size-1)/layout.Size))
	}
	if body.Whole && c.t.wantedWhole() {
		count = layout.Count() - first // it comes anyway
	}
	buffer := takeBuffer(min(layout.Size, layout.Length))
	defer giveBuffer(buffer)
	for i := first; i < first+count; i++ {
		_, n := layout.Span(i)
		data := (*buffer)[:n]
		if _, err := io.ReadFull(body, data); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return came, fmt.Errorf("read piece %d of a file stated to have %d bytes: %w", i, body.Total, err)
		}
		if _, err := c.store(i, data, nil, fromOrigin); err != nil {
			return came, err
		}
		came++
	}
	return came, nil
}
