package daemon

import (
	"net/http"
	"time"
)

// drainPoll is how often a peer that stops looks whether its uploads are done.
const drainPoll = 10 * time.Millisecond

// admit takes an upload in, unless limit are under way or the peer stops: a child that
// hears 503 asks elsewhere and holds it against nobody.
func (d *Daemon) admit(w http.ResponseWriter, limit int32) (leave func(), ok bool) {
	// Counted first: drain, which looks at leaving before it looks here, misses none.
	n := d.uploads.Add(1)
	if n > limit || d.leaving.Load() {
		d.uploads.Add(-1)
		return nil, false
	}
	return func() {
		_ = http.NewResponseController(w).Flush() // what is still here when the ports close is lost
		d.uploads.Add(-1)
	}, true
}

// drain lets the uploads under way finish, in a release that does so. The peer has left
// the swarm and takes no new ones, so these are soon done.
func (d *Daemon) drain() {
	began := time.Now()
	under := d.uploads.Load()
	if !d.can.Drain || under == 0 {
		return
	}
	d.log.Info("drain", "uploads", under, "limit", d.cfg.Profile.DrainTimeout.String())
	limit := time.NewTimer(d.cfg.Profile.DrainTimeout)
	defer limit.Stop()
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for d.uploads.Load() > 0 {
		select {
		case <-tick.C:
		case <-limit.C:
			d.log.Warn("drain ends with uploads under way", "uploads", d.uploads.Load(), "took_ms", time.Since(began).Milliseconds())
			return
		}
	}
	d.log.Info("drained", "took_ms", time.Since(began).Milliseconds())
}
