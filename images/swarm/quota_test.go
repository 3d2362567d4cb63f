package swarm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// Seen red without telling the supernode: the next peer is sent to the one that
// evicted the file.
func TestEvictedFileIsNoLongerOffered(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable)
	cfg := b.peerConfig(21, stable, false, 1)
	cfg.Quota = 5 << 20
	p, q := b.start(cfg), b.peer(22, stable, false, 1)
	b.counts(s, 2, timers.Fast.RejoinWithin())
	p.mustGet(fixtures.Layer4M)
	p.mustGet(fixtures.Layer1M)
	b.announced(s, p, fixtures.Layer1M, 4)
	p.mustGet(fixtures.Layer4M) // used again: not the next to go
	p.mustGet(fixtures.Fresh(1))
	b.announced(s, p, fixtures.Fresh(1), 4)
	b.announced(s, p, fixtures.Layer1M, 0)
	if len(b.logs.find(`"task evicted"`, "/files/layer-1m", `"reason":"quota"`)) != 1 || len(b.logs.find(`"task evicted"`)) != 1 {
		t.Errorf("evicted were: %s", b.logs.find(`"task evicted"`))
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, "tasks", piece.TaskID(b.origin.url(fixtures.Layer1M), fixtures.Layer1M.SHA256)+"*")); len(left) > 0 {
		t.Errorf("left on the disk: %s", left)
	}
	if r := q.mustGet(fixtures.Layer1M); r.From.Origin != fixtures.Layer1M.Size {
		t.Errorf("not from the origin: %+v", r)
	}
	if lines := b.logs.find(`"connection failed"`, `"node":"peer-22"`, b.addr(21)); len(lines) > 0 {
		t.Errorf("sent to a peer that no longer has it: %s", lines)
	}
	if r := q.mustGet(fixtures.Layer4M); r.From.Peers != fixtures.Layer4M.Size {
		t.Errorf("what was not evicted is not served: %+v", r)
	}
}

// Seen red by taking the room without asking.
func TestDownloadLargerThanTheQuotaIsRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	cfg := b.peerConfig(21, stable, false, 1)
	cfg.Quota = 3 << 20
	p := b.start(cfg)
	started := time.Now()
	r := p.get(fixtures.Layer4M, false)
	if r.OK || !strings.Contains(r.Error, "the download takes 4 MiB, more than the 3 MiB that this peer may hold") {
		t.Errorf("result %+v", r)
	}
	if took := time.Since(started); took > timers.Fast.ScheduleTimeout+timers.Slack {
		t.Errorf("it took %s", took)
	}
	if left, err := os.ReadDir(filepath.Join(p.dir, "out")); err != nil || len(left) > 0 {
		t.Errorf("left of the output: %v, %v", left, err)
	}
	p.mustGet(fixtures.Layer1M)
}
