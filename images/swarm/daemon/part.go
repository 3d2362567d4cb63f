package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

// Errors of those who want a part of a task.
var (
	errNoSuchPart = errors.New("the file has no such part")
	errGone       = errors.New("the task was dropped")
)

// wants adds a part to what the run of a task is to bring. The caller holds mu.
func (t *task) wants(part piece.Part) {
	if !slices.Contains(t.parts, part) {
		t.parts = append(t.parts, part)
	}
	t.reckon()
}

// reckon finds out which pieces are needed. The caller holds mu.
func (t *task) reckon() {
	if !t.known {
		return
	}
	t.needed = piece.NewBitmap(t.layout.Count())
	for _, part := range t.parts {
		offset, length, _ := part.Resolve(t.layout.Length)
		for i, end := t.layout.Covering(offset, length); i < end; i++ {
			t.needed.Set(i)
		}
	}
}

// satisfied says whether all that is wanted is held. The caller holds mu.
func (t *task) satisfied() bool {
	if !t.known {
		return false
	}
	for i, octet := range t.needed {
		if octet&^t.held[i] != 0 {
			return false
		}
	}
	return true
}

// has says whether all of a part is held already. The caller holds mu.
func (t *task) has(part piece.Part) bool {
	if !t.known {
		return false
	}
	offset, length, _ := part.Resolve(t.layout.Length)
	for i, end := t.layout.Covering(offset, length); i < end; i++ {
		if !t.held.Has(i) {
			return false
		}
	}
	return true
}

// whole says whether every piece is held.
func (t *task) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known && t.count == t.layout.Count()
}

// sated says whether a run has brought what it was to bring.
func (t *task) sated() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.satisfied()
}

// wantedWhole says whether somebody wants the beginning of the file, as whoever
// wants all of it does.
func (t *task) wantedWhole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.parts, func(p piece.Part) bool { return p.Offset == 0 && p.Length == 0 })
}

// span is the offset and length of piece i of a task whose length is known.
func (t *task) span(i int) (offset, length int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.layout.Span(i)
}

func (t *task) seeding() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fromSource
}

// await returns the state of a task as soon as ready says so. It calls beat as a sign
// of life while it waits.
func (t *task) await(ctx context.Context, ticker <-chan time.Time, ready func(view) bool, beat func() error) (view, error) {
	for {
		v := t.view()
		switch {
		case ready(v):
			return v, nil
		case !v.running && v.err != nil:
			return v, v.err
		case !v.running:
			return v, errGone
		}
		select {
		case <-v.changed:
		case <-ticker:
			if err := beat(); err != nil {
				return v, err
			}
		case <-ctx.Done():
			return v, context.Cause(ctx)
		}
	}
}

// length is how long the file is, as soon as that is known.
func (t *task) length(ctx context.Context) (int64, error) {
	v, err := t.await(ctx, nil, func(v view) bool { return v.known }, nil)
	return v.meta.GetLength(), err
}

// stream calls give with a part of the file in order, each piece as soon as it is
// held, and with nothing as a sign of life while it waits. The whole file has come
// to its end only when it was found to be what was promised. What give was called with
// is not its to keep.
func (t *task) stream(ctx context.Context, every time.Duration, part piece.Part, give func([]byte) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	beat := func() error { return give(nil) }
	v, err := t.await(ctx, ticker.C, func(v view) bool { return v.known }, beat)
	if err != nil {
		return err
	}
	layout := v.layout()
	offset, length, ok := part.Resolve(layout.Length)
	if !ok {
		return fmt.Errorf("%w: it has %d bytes", errNoSuchPart, layout.Length)
	}
	first, end := layout.Covering(offset, length)
	for i := first; i < end; i++ {
		// The last piece of a whole file waits for the whole to be found right: who has
		// got all of it may take it for what was promised.
		last := i == end-1 && length == layout.Length
		if _, err := t.await(ctx, ticker.C, func(v view) bool { return v.held.Has(i) && (v.done || !last) }, beat); err != nil {
			return err
		}
		buffer, ok := t.read(i)
		if !ok {
			return fmt.Errorf("%w: piece %d of task %s cannot be read back", errStore, i, t.id)
		}
		at, n := layout.Span(i)
		err := give((*buffer)[max(0, offset-at):min(n, offset+length-at)])
		giveBuffer(buffer)
		if err != nil {
			return err
		}
	}
	if length < layout.Length {
		return nil
	}
	_, err = t.await(ctx, ticker.C, func(v view) bool { return v.done }, beat)
	return err
}
