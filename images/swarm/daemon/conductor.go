package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// How many pieces are on their way at once: from all parents, from the nearest, which
// so gives the most, and from each other one.
const (
	inFlightAll     = 8
	inFlightNearest = 5
	inFlightParent  = 3
)

// originAttempts is how often in a row an origin may fail before a download does.
const originAttempts = 8

// bareAttempts is the same for a seed that has no descriptor to ask an origin with: whoever
// triggered it asks the next one, while peers still wait.
const bareAttempts = 3

// patience is how many scheduling limits a download without progress waits for
// parents that live but have nothing to give.
const patience = 3

// conductor runs the download of one task. One goroutine, that of run, owns all
// of its fields; transfers run beside it and hand in their results.
type conductor struct {
	d        *Daemon
	t        *task
	ctx      context.Context //nolint:containedctx // the life of this download
	pursuit  *pursuit
	followed *pb.Direction
	parents  map[string]*parentLink
	flights  map[int][]*flight // by piece
	results  chan result
	nudge    chan struct{} // one slot: a parent's list changed

	progress   time.Time
	usual      time.Duration // that a piece takes from a parent
	wasted     int64         // bytes that came from parents for nothing
	kept       time.Time     // when the record was last saved
	reason     string        // why the origin is used, "" while it is not
	sourcing   bool
	sourceOnly map[int]bool // pieces that a release without retries takes from the origin
	sourceFail int
	sourceWait *backoff.ExponentialBackOff
	sourceAt   time.Time
	fatal      error
}

// result is the end of one transfer: of a piece from a parent, or of a span from
// the origin.
type result struct {
	origin  bool
	flights []*flight
	read    int64 // for nothing
	came    int   // pieces from the origin
	err     error
}

func newConductor(d *Daemon, t *task) *conductor {
	return &conductor{
		d: d, t: t, parents: map[string]*parentLink{}, flights: map[int][]*flight{}, sourceOnly: map[int]bool{},
		results: make(chan result), nudge: make(chan struct{}, 1), sourceWait: newBackoff(d.cfg.Profile),
	}
}

// run downloads until the task is whole or beyond help.
func (c *conductor) run() {
	ctx, cancel := context.WithCancel(c.d.ctx)
	started := time.Now()
	c.ctx, c.progress = ctx, started
	c.d.log.Info("task start", "task", c.t.id, "url", c.t.url)
	c.pursuit = c.d.membership.want(c.t)
	err := c.conduct()
	cancel()
	for len(c.flights) > 0 || c.sourcing {
		c.land(<-c.results)
	}
	for _, p := range c.parents {
		p.ended.Wait()
	}
	again, err := c.t.finish(err, c.d.save)
	c.d.release(c.t)
	c.d.membership.settle(c.t.id)
	v := c.t.view()
	if again {
		c.d.work.Go(func() { newConductor(c.d, c.t).run() })
		return
	}
	if err != nil {
		c.d.log.Error("task failed", "task", c.t.id, "url", c.t.url, "held", v.count, "error", err.Error())
		return
	}
	what := "task done"
	if !v.done {
		what = "task part done"
	}
	c.d.log.Info(what, "task", c.t.id, "bytes", v.meta.GetLength(), "held", v.count, "sha256", v.sha,
		"origin", v.from[fromOrigin], "seeds", v.from[fromSeed], "peers", v.from[fromPeer],
		"wasted", c.wasted, "took_ms", time.Since(started).Milliseconds())
}

func (c *conductor) conduct() error {
	ticker := time.NewTicker(c.d.cfg.Profile.RetryInitial)
	defer ticker.Stop()
	for {
		c.follow()
		c.keep()
		if c.t.sated() {
			return nil
		}
		if err := c.d.makeRoom(c.t); err != nil {
			return err
		}
		c.failLostParents()
		if c.fatal != nil {
			return c.fatal
		}
		c.assign()
		select {
		case r := <-c.results:
			c.land(r)
		case <-c.pursuit.moved:
		case <-c.nudge:
		case <-c.t.view().changed:
		case <-ticker.C:
		case <-c.ctx.Done():
			return fmt.Errorf("the daemon stops: %w", context.Cause(c.ctx))
		}
	}
}

// follow takes in the supernode's latest word: the file's cutting, and parents.
func (c *conductor) follow() {
	direction, _ := c.direction()
	if direction == nil || direction == c.followed {
		return
	}
	c.followed = direction
	if err := c.t.learn(direction.GetTask()); err != nil {
		c.d.log.Warn("task meta refused", "task", c.t.id, "error", err.Error())
		if !errors.Is(err, cause.ErrBadAnswer) {
			c.fatal = err
		}
	}
	for _, p := range c.parents {
		p.rank = len(direction.GetParents()) // unless it is still among them
	}
	for rank, h := range direction.GetParents() {
		p := c.parents[h.GetName()]
		if p != nil && p.banned == nil && (grpcAddr(p.host) != grpcAddr(h) || p.given()) {
			p.cancel()
			delete(c.parents, h.GetName())
			p = nil
		}
		if p == nil && h.GetName() != c.d.host.GetName() {
			p = c.link(h)
			c.parents[h.GetName()] = p
		}
		if p != nil {
			p.rank = rank
		}
	}
}

// direction is the supernode's latest word, and whether it stands.
func (c *conductor) direction() (*pb.Direction, bool) { return c.d.membership.direction(c.pursuit) }
