package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// idleDaemon is a daemon that was made and does not run.
func idleDaemon(t *testing.T, quota int64) (*Daemon, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	const free = "127.0.0.1:0"
	d, err := New(Config{
		Hostname: "peer-1", AdvertiseIP: "127.0.0.1", GRPC: free, Proxy: free, Pieces: free, Status: free, Quota: quota,
		Profile: timers.Fast, Release: "2.2.1", DataDir: t.TempDir(), Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.stop()
		for _, l := range d.listeners {
			_ = l.Close()
		}
		for _, held := range d.tasks {
			held.shut()
		}
	})
	return d, log
}

// laid is a task of two pieces of 256 KiB, of which held are held.
func (d *Daemon) laid(t *testing.T, url string, held int) *task {
	t.Helper()
	task := newTask(d.taskDir(), url, "")
	task.mu.Lock()
	err := task.lay(512<<10, 256<<10)
	task.wants(piece.Part{})
	task.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for i := range held {
		if _, err := task.put(i, make([]byte, 256<<10), nil, fromOrigin); err != nil {
			t.Fatal(err)
		}
	}
	d.tasks[task.id] = task
	return task
}

// Seen red by evicting whatever comes first, and without looking at pins.
func TestEvictionTakesTheLeastRecentlyUsedThatIsIdle(t *testing.T) {
	d, _ := idleDaemon(t, 0)
	oldest, second, third, newest := d.laid(t, "http://o/a", 2), d.laid(t, "http://o/b", 2), d.laid(t, "http://o/c", 2), d.laid(t, "http://o/d", 2)
	d.pinned(oldest.id) // the latest use, and it is being read
	oldest.used = second.used.Add(-1)
	second.running = true
	for _, want := range []string{third.id, newest.id, ""} {
		if got := d.evictIdle(evictedForQuota, nil); got != want {
			t.Errorf("evicted %q instead of %q", got, want)
		}
	}
	oldest.unpin()
	if got := d.evictIdle(evictedForQuota, nil); got != oldest.id {
		t.Errorf("what nobody reads any more was not evicted, but %q", got)
	}
	left, err := os.ReadDir(d.taskDir())
	if err != nil || len(left) != 1 || left[0].Name() != second.id+contentExt {
		t.Errorf("the store holds %v, %v", left, err)
	}
}

// fullDisk refuses so many writes.
type fullDisk struct {
	content
	refuse int
}

func (f *fullDisk) WriteAt(p []byte, off int64) (int, error) {
	if f.refuse > 0 {
		f.refuse--
		return 0, &os.PathError{Op: "write", Path: "content", Err: syscall.ENOSPC}
	}
	return f.content.WriteAt(p, off)
}

// Seen red without the second try.
func TestFullDiskEvictsAndTriesOnceMore(t *testing.T) {
	for name, c := range map[string]struct {
		refuse, old int
		fails       bool
	}{
		"one write fails":              {1, 1, false},
		"two writes fail":              {2, 1, true},
		"nothing there to be given up": {1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			d, log := idleDaemon(t, 0)
			if c.old > 0 {
				d.laid(t, "http://o/old", 2)
			}
			task := d.laid(t, "http://o/new", 1)
			task.file = &fullDisk{task.file, c.refuse}
			task.running = true
			_, err := newConductor(d, task).store(1, make([]byte, 256<<10), nil, fromOrigin)
			if c.fails != (err != nil) || c.fails && (!ours(err) || !errors.Is(err, syscall.ENOSPC)) {
				t.Errorf("error %v", err)
			}
			if evicted := strings.Count(log.String(), `"task evicted"`); evicted != c.old {
				t.Errorf("%d tasks evicted", evicted)
			}
			again, err := task.finish(err, d.save)
			if again || c.fails != (err != nil) {
				t.Errorf("finished with %v, %v", again, err)
			}
			files, _ := filepath.Glob(filepath.Join(d.taskDir(), task.id+"*"))
			if c.fails != (len(files) == 0) {
				t.Errorf("left on the full disk: %v", files)
			}
		})
	}
}

// Seen red with a second piece that looks for something to give up itself: there is nothing.
func TestFullDiskEvictsOnceForPiecesThatArriveTogether(t *testing.T) {
	d, log := idleDaemon(t, 0)
	d.laid(t, "http://o/old", 2)
	task := d.laid(t, "http://o/new", 2)
	task.running = true
	made := d.spaceMade.Load()
	for range 2 {
		if !d.makeSpace(task, made, syscall.ENOSPC) {
			t.Error("no space for a piece that came while another made some")
		}
	}
	if evicted := strings.Count(log.String(), `"task evicted"`); evicted != 1 {
		t.Errorf("%d tasks evicted", evicted)
	}
	if d.makeSpace(task, d.spaceMade.Load(), syscall.ENOSPC) {
		t.Error("space where nothing is left to be given up")
	}
}

// Seen red by counting what is held only.
func TestQuotaIsGrantedBeforeItIsUsed(t *testing.T) {
	d, _ := idleDaemon(t, 1<<20)
	first, second, third := d.laid(t, "http://o/1", 0), d.laid(t, "http://o/2", 1), d.laid(t, "http://o/3", 0)
	for _, t := range []*task{first, second, third} {
		t.running = true
	}
	for _, granted := range []*task{first, second} {
		if err := d.makeRoom(granted); err != nil {
			t.Errorf("no room: %v", err)
		}
	}
	if err := d.makeRoom(third); !errors.Is(err, errQuota) || cause.Of(err) != cause.NoSpace {
		t.Errorf("a third of half a MiB got room under 1 MiB: %v", err)
	}
	first.running = false
	d.release(first)
	first.needed = nil // as after finish
	if err := d.makeRoom(third); err != nil {
		t.Errorf("what ended without a piece still takes room: %v", err)
	}
}
