package daemon

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// givenUpAfter is the number of failures in a row from which a parent is given up,
// until the supernode names it again.
const givenUpAfter = 4

// parentLink is one parent of one download. The fields above mu belong to the conductor.
type parentLink struct {
	host      *pb.Host
	cancel    context.CancelFunc
	ended     sync.WaitGroup
	flying    int
	failures  int
	failed    time.Time // last
	delivered bool
	beaten    int   // pieces that another parent brought sooner
	rank      int   // its place in the latest direction
	banned    error // why it is not asked again in this download
	notBefore time.Time
	wait      *backoff.ExponentialBackOff

	mu      sync.Mutex
	pieces  piece.Bitmap
	digests [][]byte
	listing bool // the piece list is up to date
	lost    int  // failures of the list in a row
	loss    error
}

// given says whether the parent is given up. Only the conductor asks.
func (p *parentLink) given() bool {
	return p.banned != nil || p.failures >= givenUpAfter || p.unlisted()
}

// offer is the parent as the choice of pieces sees it. Only the conductor asks.
func (p *parentLink) offer(now time.Time) offer {
	return offer{
		name: p.host.GetName(), has: p.has, ready: !now.Before(p.notBefore) && !p.given(),
		flying: p.flying, failures: p.failures, beaten: p.beaten, rank: p.rank,
	}
}

// unlisted says whether its piece list is given up.
func (p *parentLink) unlisted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost >= givenUpAfter
}

// lossOf is why the piece list was given up, or nil.
func (p *parentLink) lossOf() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost < givenUpAfter {
		return nil
	}
	return p.loss
}

func (p *parentLink) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listing || p.lost == 0
}

// silent says whether the parent has neither told its pieces yet nor failed to.
func (p *parentLink) silent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.listing && p.lost == 0
}

func (p *parentLink) has(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listing && p.pieces.Has(i)
}

func (p *parentLink) digest(i int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i >= len(p.digests) {
		return nil
	}
	return p.digests[i]
}

// link connects to a parent and keeps its piece list, until the download ends.
func (c *conductor) link(h *pb.Host) *parentLink {
	ctx, cancel := context.WithCancel(c.ctx)
	p := &parentLink{host: h, cancel: cancel, wait: newBackoff(c.d.cfg.Profile)}
	p.ended.Add(1)
	c.d.work.Go(func() {
		defer p.ended.Done()
		wait := newBackoff(c.d.cfg.Profile)
		for attempt := 1; ; attempt++ {
			ip, heard, err := c.syncPieces(ctx, p)
			p.mu.Lock()
			p.listing = false
			if heard {
				p.lost, attempt = 0, 1
				wait.Reset()
			}
			p.lost++
			p.loss = err
			p.mu.Unlock()
			if ctx.Err() != nil {
				return
			}
			c.d.reporter.Failed(diag.List, grpcAddr(h), ip, attempt, err)
			c.ring()
			c.d.membership.report(h.GetName(), c.t.id, err)
			if p.unlisted() || !c.d.can.Retry {
				p.mu.Lock()
				p.lost = givenUpAfter
				p.mu.Unlock()
				c.ring()
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait.NextBackOff()):
			}
		}
	})
	return p
}

func (c *conductor) ring() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

// syncPieces listens to one parent's piece list; heard says whether it came at all.
func (c *conductor) syncPieces(ctx context.Context, p *parentLink) (ip string, heard bool, err error) {
	conn, err := c.d.network.Dial(grpcAddr(p.host))
	if err != nil {
		return "", false, err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := c.d.cfg.Profile.RPCTimeout
	silence := time.AfterFunc(limit, func() { cancel(fmt.Errorf("no piece list within %s: %w", limit, context.DeadlineExceeded)) })
	defer func() { silence.Stop() }()
	explain := func(err error) error {
		if why := context.Cause(ctx); why != nil {
			return why
		}
		return conn.Explain(err)
	}
	stream, err := pb.NewPeerClient(conn).SyncPieces(ctx)
	if err != nil {
		return conn.IP(), false, explain(err)
	}
	request := &pb.SyncRequest{Task: c.t.id, Name: c.d.host.GetName(), Release: c.d.can.Release, Protocol: c.d.can.Protocol}
	c.d.work.Go(func() {
		ticker := time.NewTicker(pieceBeat(c.d.cfg.Profile))
		defer ticker.Stop()
		for stream.Send(request) == nil {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	for {
		set, err := stream.Recv()
		if err != nil {
			return conn.IP(), heard, explain(err)
		}
		if err := c.t.learn(set.GetTask()); err != nil {
			return conn.IP(), heard, err
		}
		heard = true
		silence.Stop()
		silence = time.AfterFunc(c.d.cfg.Profile.StallTimeout, func() { cancel(cause.ErrStalled) })
		p.mu.Lock()
		p.pieces, p.digests, p.listing = set.GetPieces(), set.GetTask().GetDigests(), true
		p.mu.Unlock()
		c.ring()
	}
}

// errBusy is a parent without a free upload slot: no failure, only a pause.
var errBusy = fmt.Errorf("%w: no free upload slot", cause.ErrBadAnswer)

// fetchPiece downloads piece i from p over HTTP, checks it and stores it. It counts
// what was read in vain.
func (c *conductor) fetchPiece(ctx context.Context, f *flight) (wasted int64, err error) {
	p, i := f.parent, f.piece
	url := fmt.Sprintf("http://%s/tasks/%s/pieces/%d", pieceAddr(p.host), c.t.id, i)
	transfer, _, err := wire.Get(ctx, c.d.http, url, "", c.d.cfg.Profile)
	if err != nil {
		return 0, err
	}
	defer func() { _ = transfer.Close() }()
	switch transfer.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		return 0, errBusy
	default:
		return 0, fmt.Errorf("%w: status %s", cause.ErrBadAnswer, transfer.Status)
	}
	_, length := c.t.span(i)
	buffer := takeBuffer(length)
	defer giveBuffer(buffer)
	data := *buffer
	if n, err := io.ReadFull(f.reader(transfer), data); err != nil {
		return int64(n), fmt.Errorf("read piece %d: %w", i, err)
	}
	by := fromPeer
	if p.host.GetSeed() {
		by = fromSeed
	}
	fresh, err := c.store(i, data, p.digest(i), by)
	if !fresh {
		return length, err
	}
	return 0, err
}

// store puts a piece in, and tells those who may want it; fresh says whether it was
// not held.
func (c *conductor) store(i int, data, stated []byte, by giver) (fresh bool, err error) {
	made := c.d.spaceMade.Load()
	fresh, err = c.t.put(i, data, stated, by)
	if c.d.makeSpace(c.t, made, err) {
		fresh, err = c.t.put(i, data, stated, by)
	}
	if err != nil || !fresh {
		return false, err
	}
	c.d.bytes.WithLabelValues(string(by)).Add(float64(len(data)))
	c.d.membership.holds(c.t.id)
	return true, nil
}
