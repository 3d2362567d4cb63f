package daemon

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"
)

// flight is one piece on its way from one parent, or from the origin.
type flight struct {
	piece   int
	parent  *parentLink // nil is the origin
	started time.Time
	cancel  context.CancelFunc
	beaten  bool        // another one was faster
	moved   atomic.Bool // a byte has come
}

// reader notes when the first byte comes.
func (f *flight) reader(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if n > 0 {
			f.moved.Store(true)
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

// launch notes that pieces are on their way. A flight from the origin ends with the
// request that it is part of.
func (c *conductor) launch(f *flight) {
	f.started = time.Now()
	c.flights[f.piece] = append(c.flights[f.piece], f)
	if f.parent != nil {
		f.parent.flying++
	}
}

// ask starts to fetch a piece from a parent.
func (c *conductor) ask(p *parentLink, i int) {
	ctx, cancel := context.WithTimeout(c.ctx, c.d.cfg.Profile.PieceTimeout)
	f := &flight{piece: i, parent: p, cancel: cancel}
	c.launch(f)
	c.d.work.Go(func() {
		read, err := c.fetchPiece(ctx, f)
		cancel()
		c.results <- result{flights: []*flight{f}, read: read, err: err}
	})
}

// touchDown takes a flight off, and cancels the others that bring the same piece if it has come.
func (c *conductor) touchDown(f *flight, arrived bool) {
	rest := slices.DeleteFunc(c.flights[f.piece], func(other *flight) bool { return other == f })
	c.flights[f.piece] = rest
	if len(rest) == 0 {
		delete(c.flights, f.piece)
	}
	if f.parent != nil {
		f.parent.flying--
	}
	if !arrived {
		return
	}
	for _, other := range rest {
		if other.parent == nil || other.beaten {
			continue
		}
		other.beaten = true
		if other.moved.Load() { // else it finds out itself what is wrong, and says so
			other.cancel()
		}
		if other.parent.beaten++; other.parent.beaten == 1 {
			c.d.log.Info("parent is slow", "task", c.t.id, "target", pieceAddr(other.parent.host), "ip", other.parent.host.GetIp(),
				"piece", f.piece, "after_ms", time.Since(other.started).Milliseconds(), "taken_from", f.name())
		}
	}
}

func (f *flight) name() string {
	if f.parent == nil {
		return "origin"
	}
	return f.parent.host.GetName()
}

// landed counts how long a piece takes, recent ones for more.
func (c *conductor) landed(f *flight) {
	took := time.Since(f.started)
	if c.usual == 0 {
		c.usual = took
	}
	c.usual += (took - c.usual) / 4
}

// slow is from when on a piece is overdue: after twice the usual time of this
// download, and no sooner than a retry would come. Until one has come nobody knows what is
// usual, and a thin way is no reason to ask for everything twice: a connection has the time
// that it may take to be made.
func (c *conductor) slow() time.Duration {
	if c.usual == 0 {
		return c.d.cfg.Profile.DialTimeout
	}
	return max(c.d.cfg.Profile.RetryInitial, 2*c.usual)
}

// flying lists the pieces on their way from parents; those from the origin come as
// parts of longer requests, which are not made twice.
func (c *conductor) flying(now time.Time) []aloft {
	var list []aloft
	for i, flights := range c.flights {
		a := aloft{piece: i}
		for _, f := range flights {
			if f.parent == nil {
				continue
			}
			a.landed = a.landed || f.beaten
			a.from = append(a.from, f.name())
			a.since = max(a.since, now.Sub(f.started))
		}
		if len(a.from) > 0 {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b aloft) int { return a.piece - b.piece })
	return list
}
