package daemon

import (
	"hash/fnv"
	"time"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

// assign starts as many transfers as there is room for.
func (c *conductor) assign() {
	now := time.Now()
	v := c.t.view()
	for i := range c.sourceOnly {
		if v.held.Has(i) {
			delete(c.sourceOnly, i)
		}
	}
	if v.known {
		c.assignParents(v, v.layout(), now)
	}
	if c.sourcing || now.Before(c.sourceAt) {
		return
	}
	if !c.sourceAllowed(v, now) {
		return
	}
	first, count := c.missingSpan(v)
	if count == 0 && v.known {
		return
	}
	pieces := make([]int, 0, count)
	for i := first; i < first+count; i++ {
		pieces = append(pieces, i)
		c.flying[i] = true
	}
	c.sourcing = true
	c.d.work.Go(func() { c.results <- result{pieces: pieces, err: c.fetchSpan(first, count, c.sourceFail+1)} })
}

// assignParents gives each parent with room a piece that it has. Each peer begins
// at another place of the file, so that children of one parent soon have
// something for each other.
func (c *conductor) assignParents(v view, layout piece.Layout, now time.Time) {
	total := layout.Count()
	if total == 0 {
		return
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.d.host.GetName()))
	start := int(h.Sum32() % uint32(total)) //nolint:gosec // a piece count fits
	for n := range total {
		if len(c.flying) >= inFlightAll {
			return
		}
		i := (start + n) % total
		if v.held.Has(i) || !v.needed.Has(i) || c.flying[i] || c.sourceOnly[i] {
			continue
		}
		p := c.bestParent(i, now)
		if p == nil {
			continue
		}
		c.flying[i] = true
		p.flying++
		c.d.work.Go(func() { c.results <- result{parent: p, pieces: []int{i}, err: c.fetchPiece(p, i)} })
	}
}

// bestParent is the least busy parent that has piece i; the one with fewer failures among equals.
func (c *conductor) bestParent(i int, now time.Time) *parentLink {
	var best *parentLink
	for _, p := range c.parents {
		if p.flying >= inFlightParent || now.Before(p.notBefore) || p.given() || !p.has(i) {
			continue
		}
		if p.failures > 0 && p.flying > 0 {
			continue // one trial at a time for a parent that failed
		}
		if best == nil || p.load() < best.load() || p.load() == best.load() && p.host.GetName() < best.host.GetName() {
			best = p
		}
	}
	return best
}

// hopeful says whether some parent may still deliver something that is missing.
func (c *conductor) hopeful() bool {
	for _, p := range c.parents {
		if !p.given() && p.alive() {
			return true
		}
	}
	return false
}

// expecting says whether a parent has only just been asked what it has.
func (c *conductor) expecting() bool {
	for _, p := range c.parents {
		if p.silent() {
			return true
		}
	}
	return false
}

// sourceAllowed decides whether the origin is asked now, and says so once.
func (c *conductor) sourceAllowed(v view, now time.Time) bool {
	reason := c.sourceReason(now)
	if reason != "" && reason != c.reason {
		c.d.log.Info("back to source", "task", c.t.id, "url", c.t.url, "reason", reason, "held", v.count)
	}
	c.reason = reason
	return reason != ""
}

func (c *conductor) sourceReason(now time.Time) string {
	direction, registered := c.direction()
	c.t.mu.Lock()
	seeding := c.t.fromSource
	c.t.mu.Unlock()
	switch {
	case seeding:
		return "triggered as a seed"
	case len(c.sourceOnly) > 0:
		return "a piece failed and this release does not retry"
	case direction.GetBackToSource():
		if len(c.flying) > 0 || c.expecting() {
			return ""
		}
		return "ordered by the supernode"
	case !registered && !c.hopeful() && (c.reason != "" || now.Sub(c.progress) > c.d.cfg.Profile.RetryMax):
		return reasonAlone
	case now.Sub(c.progress) > c.d.cfg.Profile.ScheduleTimeout:
		return reasonNoProgress
	case c.reason == reasonNoProgress && !c.delivering(), c.reason == reasonAlone && !c.hopeful():
		return c.reason // a supernode that comes and goes is no reason to wait anew for each span
	}
	return ""
}

// Reasons that stand until a parent delivers, or is there to deliver.
const (
	reasonNoProgress = "no progress from parents"
	reasonAlone      = "no supernode and no parent"
)

// delivering says whether a parent has a piece on its way.
func (c *conductor) delivering() bool {
	for _, p := range c.parents {
		if p.flying > 0 && p.failures == 0 {
			return true
		}
	}
	return false
}

// missingSpan is the first run of pieces that are neither held nor on their way,
// no longer than one origin request.
func (c *conductor) missingSpan(v view) (first, count int) {
	if !v.known {
		return 0, 0
	}
	layout := v.layout()
	longest := int(max(1, spanBytes/layout.Size))
	onlyThese := len(c.sourceOnly) > 0 && !c.t.seeding()
	for i := range layout.Count() {
		free := !v.held.Has(i) && v.needed.Has(i) && !c.flying[i] && (!onlyThese || c.sourceOnly[i])
		if free && count == 0 {
			first = i
		}
		if free {
			count++
		}
		if count == longest || !free && count > 0 {
			break
		}
	}
	return first, count
}
