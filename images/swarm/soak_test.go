package swarm_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// A thousand downloads by four peers, eight at a time, leave no goroutine and no
// descriptor behind. Not parallel: it must have the process to itself.
func TestSoakLeavesNothingBehind(t *testing.T) {
	files := 250
	if testing.Short() {
		files = 25
	}
	running := goleak.IgnoreCurrent()
	goroutines, descriptors := runtime.NumGoroutine(), open(t)
	t.Run("downloads", func(t *testing.T) { soak(t, files) })
	if err := goleak.Find(running); err != nil {
		t.Error(err)
	}
	eventually(t, timers.Fast.DropWithin(), "goroutines and descriptors as before", func() (string, bool) {
		g, d := runtime.NumGoroutine(), open(t)
		return fmt.Sprintf("%d goroutines after %d, descriptors %v after %v", g, goroutines, d, descriptors),
			g <= goroutines && maps.Equal(d, descriptors)
	})
}

func soak(t *testing.T, files int) {
	t.Helper()
	b := newBed(t)
	s := b.supernode(1, stable, 11, 12)
	b.peer(11, stable, true, 1)
	b.peer(12, stable, true, 1)
	peers := []*peer{b.peer(21, stable, false, 1), b.peer(22, stable, false, 1), b.peer(23, stable, false, 1), b.peer(24, stable, false, 1)}
	b.counts(s, 6, timers.Fast.RejoinWithin())
	type job struct{ file, peer int }
	jobs := make(chan job)
	var workers sync.WaitGroup
	var fromOrigin, most, past int64
	var mu sync.Mutex
	for range 8 {
		workers.Go(func() {
			for j := range jobs {
				r := soaked(b, peers[j.peer], j.file)
				now := int64(0)
				for _, n := range open(t) {
					now += int64(n)
				}
				mu.Lock()
				fromOrigin += r.From.Origin
				if r.Mode != "daemon" {
					past++
				}
				most = max(most, now)
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for file := range files {
		for peer := range peers {
			jobs <- job{file, (peer + file) % len(peers)}
		}
	}
	close(jobs)
	workers.Wait()
	all := int64(files * len(peers))
	t.Logf("%d downloads in %s, %d past their daemon, %d bytes of %d from the origin, at most %d descriptors and %d goroutines at the end",
		all, time.Since(began).Round(time.Millisecond), past, fromOrigin, all*fixtures.Manifest.Size, most, runtime.NumGoroutine())
	// On a busy machine a daemon may answer too late for dfget, which then helps itself.
	if past > all/100 {
		t.Errorf("%d of %d downloads went past their daemon", past, all)
	}
}

// soaked downloads one of many small files, which differ in their URL.
func soaked(b *bed, p *peer, file int) dfget.Result {
	r := dfget.Get(b.t.Context(), dfget.Request{
		URL: fmt.Sprintf("%s?n=%d", b.origin.url(fixtures.Manifest), file), Output: filepath.Join(p.dir, "out", fmt.Sprint(file)),
		Digest: fixtures.Manifest.SHA256, Socket: filepath.Join(p.dir, "s"), Timeout: 25 * time.Second, BackSource: true,
		Capabilities: p.can, Profile: b.timers,
	})
	if !r.OK || r.SHA256 != fixtures.Manifest.SHA256 {
		b.t.Errorf("file %d: %+v", file, r)
	}
	return r
}

// open counts this process's descriptors by what they lead to; sockets and pipes by their kind.
func open(t *testing.T) map[string]int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // it was that of the reading itself
		}
		kind, _, _ := strings.Cut(target, ":[") // socket:[4711]
		counts[kind]++
	}
	return counts
}
