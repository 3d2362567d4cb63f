package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/origin/trouble"
)

// maxProbe is the most bytes that one path test may ask for.
const maxProbe = 1 << 20

// Traffic counts requests for files and the bytes of their bodies.
type Traffic struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
}

// Stats is the answer of /stats. Clients are told apart by their address.
type Stats struct {
	Traffic
	ByClient map[string]Traffic `json:"by_client"`
	ByFile   map[string]Traffic `json:"by_file"`
}

// origin serves the fixtures and counts.
type origin struct {
	rate  int64 // bytes per second and response, 0 for no limit
	delay time.Duration

	mu    sync.Mutex
	stats Stats
}

func newOrigin(rate int64, delay time.Duration) *origin {
	return &origin{rate: rate, delay: delay, stats: Stats{ByClient: map[string]Traffic{}, ByFile: map[string]Traffic{}}}
}

func (o *origin) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthy", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /files/{name}", o.serveFile)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o.stats)
	})
	mux.HandleFunc("GET /probe", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("bytes"))
		if err != nil || n < 0 || n > maxProbe {
			http.Error(w, "bytes must be a number from 0 to 1048576", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(make([]byte, n))
	})
	return mux
}

func (o *origin) serveFile(w http.ResponseWriter, r *http.Request) {
	file, ok := fixtures.ByName(r.PathValue("name"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr
	}
	count := func(requests, bytes int64) { o.count(client, file.Name, requests, bytes) }
	count(1, 0)
	if !pause(r.Context(), o.delay) {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", strconv.Quote(file.SHA256))
	out := &paced{ResponseWriter: w, ctx: r.Context(), rate: o.rate, started: time.Now(), count: count}
	trouble.Serve(out, r, file, trouble.Kind(r.URL.Query().Get("fault")))
}

func (o *origin) count(client, file string, requests, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add := func(t Traffic) Traffic { return Traffic{t.Requests + requests, t.Bytes + bytes} }
	o.stats.Traffic = add(o.stats.Traffic)
	o.stats.ByClient[client] = add(o.stats.ByClient[client])
	o.stats.ByFile[file] = add(o.stats.ByFile[file])
}

// Unwrap lets a response be flushed.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// paced is a response whose body leaves no faster than rate, and is counted.
type paced struct {
	http.ResponseWriter
	ctx     context.Context //nolint:containedctx // ends the pauses of one response
	rate    int64
	started time.Time
	written int64
	count   func(requests, bytes int64)
}

// Write lets a tenth of a second's worth of bytes out at a time.
func (p *paced) Write(data []byte) (int, error) {
	total := 0
	for len(data) > 0 {
		n := int64(len(data))
		if p.rate > 0 {
			n = min(n, max(1, p.rate/10))
			due := time.Duration(float64(p.written) / float64(p.rate) * float64(time.Second))
			if !pause(p.ctx, due-time.Since(p.started)) {
				return total, context.Cause(p.ctx)
			}
		}
		written, err := p.ResponseWriter.Write(data[:n])
		total += written
		p.written += int64(written)
		p.count(0, int64(written))
		if err != nil {
			return total, err
		}
		if p.rate > 0 {
			p.ResponseWriter.(http.Flusher).Flush() //nolint:forcetypeassert // a server's own writer flushes
		}
		data = data[n:]
	}
	return total, nil
}

// pause waits, and says whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
