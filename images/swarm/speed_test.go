package swarm_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/supernode"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// BenchmarkFanOut brings one file from a seed to four peers at the same time, all in
// this process, and for comparison to four clients by plain GET of a file on disk. Both
// sides end with files that were held against their digest.
//
//	go test -run - -bench FanOut -benchtime 5x -cpuprofile cpu.out ./images/swarm
func BenchmarkFanOut(b *testing.B) {
	const children = 4
	file := fixtures.Layer256M
	if testing.Short() {
		file = fixtures.Layer64M
	}
	f := newFan(b, file, children)
	var plain, ours time.Duration
	turn := 0
	for b.Loop() {
		turn++
		url := fmt.Sprintf("%s?turn=%d", f.origin, turn) // a task that nobody has
		f.fetch(b, url, f.nodes[:1])                     // the seed
		started := time.Now()
		f.fetch(b, url, f.nodes[1:])
		ours += time.Since(started)
		started = time.Now()
		f.copies(b, children)
		plain += time.Since(started)
	}
	moved := float64(turn*children) * float64(file.Size>>20)
	b.ReportMetric(moved/ours.Seconds(), "swarm-MiB/s")
	b.ReportMetric(moved/plain.Seconds(), "plain-MiB/s")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "ratio")
}

type fan struct {
	file   fixtures.File
	origin string // the file's URL, made as it is served
	plain  string // the same from disk
	nodes  []string
	dir    string
}

func newFan(b *testing.B, file fixtures.File, children int) *fan {
	b.Helper()
	f := &fan{file: file, dir: b.TempDir()}
	f.origin = f.serve(b, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, fixtures.Reader(file))
	})
	stored := filepath.Join(f.dir, "stored")
	content, err := os.Create(stored)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(content, fixtures.Reader(file)); err != nil {
		b.Fatal(err)
	}
	_ = content.Close()
	f.plain = f.serve(b, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, stored) })
	log := slog.New(slog.DiscardHandler)
	s, err := supernode.New(supernode.Config{
		Hostname: "supernode-1", Listen: "127.0.0.1:0", Metrics: "127.0.0.1:0", Profile: timers.Fast, Release: swarm.Release, Log: log,
	})
	if err != nil {
		b.Fatal(err)
	}
	f.run(b, s.Run)
	for i := range children + 1 {
		dir := filepath.Join(f.dir, fmt.Sprint(i))
		d, err := daemon.New(daemon.Config{
			Hostname: fmt.Sprintf("peer-%d", i), AdvertiseIP: "127.0.0.1", GRPC: "127.0.0.1:0", Proxy: "127.0.0.1:0", Pieces: "127.0.0.1:0",
			Status: "127.0.0.1:0", Socket: filepath.Join(dir, "s"), DataDir: dir, Seed: i == 0, Profile: timers.Fast, Release: swarm.Release,
			Supernodes: []string{s.Addr().String()}, Log: log,
		})
		if err != nil {
			b.Fatal(err)
		}
		f.run(b, d.Run)
		f.nodes = append(f.nodes, dir)
	}
	look, deadline := time.NewTicker(timers.Fast.RetryInitial), time.After(10*time.Second)
	defer look.Stop()
	for s.Snapshot().Count <= children {
		select {
		case <-look.C:
		case <-deadline:
			b.Fatalf("%d peers counted within 10 s", s.Snapshot().Count)
		}
	}
	return f
}

func (f *fan) run(b *testing.B, node func(context.Context) error) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = node(ctx) })
	b.Cleanup(func() { stop(); ended.Wait() })
}

func (f *fan) serve(b *testing.B, handler http.HandlerFunc) (url string) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String() + "/files/" + f.file.Name
}

// fetch downloads url on all of these nodes at the same time, and drops the results.
func (f *fan) fetch(b *testing.B, url string, nodes []string) {
	b.Helper()
	can, err := swarm.CapabilitiesOf(swarm.Release)
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	for _, dir := range nodes {
		all.Go(func() {
			r := dfget.Get(b.Context(), dfget.Request{
				URL: url, Output: filepath.Join(dir, "out"), Digest: f.file.SHA256, Socket: filepath.Join(dir, "s"),
				Timeout: time.Minute, Capabilities: can, Profile: timers.Fast,
			})
			if !r.OK {
				b.Errorf("%s: %+v", dir, r)
			}
		})
	}
	all.Wait()
}

// copies gets the file by plain GET, n times at once.
func (f *fan) copies(b *testing.B, n int) {
	b.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			sum, err := download(b.Context(), f.plain, filepath.Join(f.dir, fmt.Sprintf("copy-%d", i)))
			if err != nil || sum != f.file.SHA256 {
				b.Errorf("plain GET: %s, %v", sum, err)
			}
		})
	}
	all.Wait()
}

func download(ctx context.Context, url, path string) (sum string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), response.Body)
	return hex.EncodeToString(h.Sum(nil)), err
}
