package daemon

import (
	"errors"
	"fmt"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/source"
)

// land takes in the end of one transfer.
func (c *conductor) land(r result) {
	for _, f := range r.flights {
		c.touchDown(f, r.err == nil)
	}
	if r.read > 0 {
		c.wasted += r.read
		c.d.bytes.WithLabelValues("wasted").Add(float64(r.read))
	}
	if r.err == nil {
		c.progress = time.Now()
	}
	if ours(r.err) {
		c.fatal = r.err
	}
	if r.origin {
		c.landSource(r.came, r.err)
		return
	}
	c.landPiece(r.flights[0], r.err)
}

// landPiece takes in the end of a piece's transfer from a parent.
func (c *conductor) landPiece(f *flight, err error) {
	p := f.parent
	if err == nil {
		if !f.beaten {
			c.landed(f)
		}
		if p.failures > 0 || !p.delivered {
			c.d.membership.report(p.host.GetName(), c.t.id, nil)
		}
		p.failures, p.delivered = 0, true
		p.wait.Reset()
		return
	}
	if c.ctx.Err() != nil || c.fatal != nil || f.beaten && f.moved.Load() {
		return
	}
	if errors.Is(err, errBusy) {
		p.notBefore = time.Now().Add(c.d.cfg.Profile.RetryInitial)
		return
	}
	c.d.http.CloseIdleConnections() // none of them may be a dead one
	// Pieces that were on their way together fail together: that is one failure.
	if f.started.After(p.failed) {
		p.failures++
		p.notBefore = time.Now().Add(p.wait.NextBackOff())
	}
	p.failed = time.Now()
	c.d.reporter.Failed(diag.Piece, pieceAddr(p.host), p.host.GetIp(), p.failures, err)
	c.d.membership.report(p.host.GetName(), c.t.id, err)
	if cause.Of(err) == cause.Corrupt && c.d.can.Retry {
		c.ban(p, err)
	}
	c.failWithoutRetry(p, f.piece, err)
}

// ban takes a parent out of this download: what gave a wrong piece once is not asked
// again, and no answer of the supernode brings it back.
func (c *conductor) ban(p *parentLink, why error) {
	if p.banned == nil {
		p.banned = why
		p.cancel()
		c.d.log.Warn("parent is banned", "task", c.t.id, "target", pieceAddr(p.host), "ip", p.host.GetIp(),
			"cause", string(cause.Of(why)), "error", why.Error())
	}
}

// failWithoutRetry is what a release without retries and fallback makes of a
// failed piece: a corrupt or refused one is taken from the origin; a parent lost
// in the middle of a download takes the download with it.
func (c *conductor) failWithoutRetry(p *parentLink, piece int, err error) {
	if c.d.can.Retry && c.d.can.SeedFallback {
		return
	}
	why := cause.Of(err)
	if p.delivered && why != cause.Corrupt && why != cause.BadAnswer && !c.d.can.SeedFallback {
		c.fatal = fmt.Errorf("parent %s lost in the middle of the download: %w", p.host.GetName(), err)
		return
	}
	c.sourceOnly[piece] = true
}

// failLostParents does the same when it is a parent's piece list that broke off.
func (c *conductor) failLostParents() {
	for _, p := range c.parents {
		if why := p.lossOf(); why != nil && p.delivered && !c.d.can.SeedFallback && c.fatal == nil {
			c.fatal = fmt.Errorf("parent %s lost in the middle of the download: %w", p.host.GetName(), why)
		}
	}
}

// landSource takes in the end of a request to the origin. An origin that breaks off,
// but gave pieces before it did, is as patiently asked for the rest as before.
func (c *conductor) landSource(came int, err error) {
	c.sourcing = false
	if came > 0 {
		c.progress = time.Now()
		c.sourceFail = 0
		c.sourceWait.Reset()
	}
	if err == nil {
		c.sourceFail = 0
		c.sourceWait.Reset()
		return
	}
	if c.ctx.Err() != nil || c.fatal != nil {
		return
	}
	c.d.http.CloseIdleConnections()
	c.sourceFail++
	c.sourceAt = time.Now().Add(c.sourceWait.NextBackOff())
	limit := originAttempts
	if !c.d.can.Retry {
		limit = 1
	}
	hopeless := !c.hopeful() || time.Since(c.progress) > patience*c.d.cfg.Profile.ScheduleTimeout
	if c.t.seeding() && cause.Of(err) == cause.TooManyFiles {
		limit, hopeless = min(limit, bareAttempts), true
	}
	if errors.Is(err, source.ErrPermanent) || c.sourceFail >= limit && hopeless {
		c.fatal = fmt.Errorf("back to source failed after %d attempts: %w", c.sourceFail, err)
	}
}
