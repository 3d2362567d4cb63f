package daemon

import (
	"hash/fnv"
	"time"
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
		c.assignParents(v, now)
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
	var flights []*flight
	for i := first; i < first+count; i++ {
		f := &flight{piece: i}
		c.launch(f)
		flights = append(flights, f)
	}
	c.sourcing = true
	attempt := c.sourceFail + 1
	c.d.work.Go(func() {
		came, err := c.fetchSpan(first, count, attempt)
		c.results <- result{origin: true, flights: flights, came: came, err: err}
	})
}

// assignParents asks parents with room for pieces that they have. Each peer begins
// at another place of the file, so that children of one parent soon have
// something for each other.
func (c *conductor) assignParents(v view, now time.Time) {
	total := v.layout().Count()
	if total == 0 || len(c.parents) == 0 {
		return
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.d.host.GetName()))
	start := int(h.Sum32() % uint32(total)) //nolint:gosec // a piece count fits
	var missing []int
	for n := range total {
		i := (start + n) % total
		if v.needed.Has(i) && !v.held.Has(i) && len(c.flights[i]) == 0 && !c.sourceOnly[i] {
			missing = append(missing, i)
		}
	}
	offers := make([]offer, 0, len(c.parents))
	for _, p := range c.parents {
		offers = append(offers, p.offer(now))
	}
	for _, a := range pick(missing, c.flying(now), offers, c.slow()) {
		c.ask(c.parents[a.parent], a.piece)
	}
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
		if len(c.flights) > 0 || c.expecting() {
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
		free := !v.held.Has(i) && v.needed.Has(i) && len(c.flights[i]) == 0 && (!onlyThese || c.sourceOnly[i])
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
