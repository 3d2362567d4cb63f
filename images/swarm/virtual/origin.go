package virtual

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faultbed/faultbed/fixtures"
)

// Origin is the web server that files come from, on the host "origin".
type Origin struct {
	Requests, Bytes atomic.Int64

	mu     sync.Mutex
	status int
}

func startOrigin(b *Bed) *Origin {
	o := &Origin{}
	listener, err := b.Machine("origin").Listen("tcp", at("", originPort))
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: o, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	b.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			b.Errorf("the origin ended with %v", err)
		}
	})
	return o
}

// URL is where a fixture is served.
func (o *Origin) URL(f fixtures.File) string { return o.base() + f.Name }

func (o *Origin) base() string { return "http://" + at("origin", originPort) + "/files/" }

// Answer makes the origin answer all requests with a status; 0 serves files again.
func (o *Origin) Answer(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status = status
}

// ServeHTTP implements http.Handler.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.Requests.Add(1)
	o.mu.Lock()
	status := o.status
	o.mu.Unlock()
	if status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	file, ok := fixtures.ByName(strings.TrimPrefix(r.URL.Path, "/files/"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(&counted{w, &o.Bytes}, r, "", time.Time{}, fixtures.Reader(file))
}

type counted struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}
