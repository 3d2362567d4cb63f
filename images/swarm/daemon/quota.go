package daemon

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/docker/go-units"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// errQuota is in the chain of a download that has no room under the quota.
var errQuota = fmt.Errorf("%w under the quota", cause.ErrNoSpace)

// ours says whether it is this peer itself that has no room, so that neither a parent
// nor the origin is to blame and nobody need be asked again.
func ours(err error) bool { return errors.Is(err, errStore) || errors.Is(err, errQuota) }

// Why a task was evicted.
const (
	evictedForQuota = "quota"
	evictedForSpace = "no space left on device"
)

// bytes is how many bytes of the disk a task takes, or with needed will take when its
// run ends. The caller holds mu.
func (t *task) bytes(needed piece.Bitmap) int64 {
	var n int64
	for i := range t.layout.Count() {
		if t.held.Has(i) || needed.Has(i) {
			_, length := t.layout.Span(i)
			n += length
		}
	}
	return n
}

// makeRoom grants a run the room for all that it is to bring, and evicts for it what
// has not been used for longest. Without a quota there is always room.
func (d *Daemon) makeRoom(t *task) error {
	if d.cfg.Quota <= 0 {
		return nil
	}
	d.mu.Lock()
	t.mu.Lock()
	need := t.bytes(t.needed)
	t.mu.Unlock()
	if need <= t.room {
		d.mu.Unlock()
		return nil
	}
	var evicted []string
	var err error
	if need > d.cfg.Quota {
		err = fmt.Errorf("%w: the download takes %s, more than the %s that this peer may hold", errQuota, size(need), size(d.cfg.Quota))
	} else if evicted, err = d.shrinkTo(d.cfg.Quota-need, t); err == nil {
		t.room = need
	}
	d.mu.Unlock()
	d.announceDropped(evicted)
	return err
}

// shrinkTo evicts until all tasks but one take no more than limit. The caller holds mu.
func (d *Daemon) shrinkTo(limit int64, but *task) (evicted []string, err error) {
	for {
		var total int64
		for _, t := range d.tasks {
			if t == but {
				continue
			}
			t.mu.Lock()
			total += max(t.room, t.bytes(nil))
			t.mu.Unlock()
		}
		if total <= limit {
			return evicted, nil
		}
		id := d.evictIdle(evictedForQuota, but)
		if id == "" {
			return evicted, fmt.Errorf("%w: of %s, downloads under way and files being read take %s", errQuota, size(d.cfg.Quota), size(total))
		}
		evicted = append(evicted, id)
	}
}

// evictIdle drops the task that was not used for longest among those that are not
// under way and that nobody reads. The caller holds mu.
func (d *Daemon) evictIdle(reason string, but *task) (id string) {
	var oldest *task
	for _, t := range d.tasks {
		t.mu.Lock()
		idle := t != but && !t.running && t.pins == 0 && t.count > 0
		older := idle && (oldest == nil || t.used.Before(oldest.used))
		t.mu.Unlock()
		if older {
			oldest = t
		}
	}
	if oldest == nil {
		return ""
	}
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	bytes := oldest.bytes(nil)
	delete(d.tasks, oldest.id)
	d.log.Info("task evicted", "task", oldest.id, "url", oldest.url, "bytes", bytes, "reason", reason,
		"used", oldest.used.UTC())
	d.evictions.WithLabelValues(reason).Inc()
	oldest.empty()
	return oldest.id
}

// makeSpace is the answer to a full disk: it evicts one task, and says whether there is
// space now that there was not when made was read. Pieces arrive side by side: what one of
// them has made room by is room for the others, too.
func (d *Daemon) makeSpace(t *task, made int64, err error) bool {
	if !errors.Is(err, syscall.ENOSPC) {
		return false
	}
	d.mu.Lock()
	if d.spaceMade.Load() != made {
		d.mu.Unlock()
		return true
	}
	id := d.evictIdle(evictedForSpace, t)
	if id != "" {
		d.spaceMade.Add(1)
	}
	d.mu.Unlock()
	if id == "" {
		return false
	}
	d.announceDropped([]string{id})
	return true
}

// announceDropped tells the supernode, so that nobody is sent here for what is gone.
func (d *Daemon) announceDropped(ids []string) {
	for _, id := range ids {
		d.membership.holds(id)
	}
}

// release takes the room of a run back that has ended.
func (d *Daemon) release(t *task) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.room = 0
}

func (d *Daemon) registerStoreMetrics() {
	d.evictions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swarm_peer_evictions_total", Help: "Tasks dropped to make room, by reason.",
	}, []string{"reason"})
	d.registry.MustRegister(d.evictions, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "swarm_peer_store_bytes", Help: "Content bytes that are held or have their room granted.",
	}, func() float64 {
		d.mu.Lock()
		defer d.mu.Unlock()
		var total int64
		for _, t := range d.tasks {
			t.mu.Lock()
			total += max(t.room, t.bytes(nil))
			t.mu.Unlock()
		}
		return float64(total)
	}))
}

func size(bytes int64) string {
	return units.CustomSize("%.4g %s", float64(bytes), 1024, []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"})
}
