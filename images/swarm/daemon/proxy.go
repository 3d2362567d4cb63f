package daemon

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/source"
)

// Headers of the proxy.
const (
	headerTask   = "X-Swarm-Task"
	headerPeer   = "X-Swarm-Peer"
	headerDigest = "X-Swarm-Digest" // of a request: the promised digest of the file
)

// proxyRoutes is the proxy port: the connectivity check that operators make, an HTTP
// proxy whose GETs go through the swarm, and with Config.Mirror a mirror of one
// server, as clients that can be told of a mirror but of no proxy want it.
func (d *Daemon) proxyRoutes() http.Handler {
	direct := http.NewServeMux()
	direct.HandleFunc("GET /healthy", healthy)
	direct.HandleFunc("GET /probe", probe)
	if d.cfg.Mirror != "" {
		direct.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
			d.serveProxied(w, r, strings.TrimSuffix(d.cfg.Mirror, "/")+r.URL.RequestURI())
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect || r.URL.IsAbs() && r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "this proxy serves GET and HEAD of http URLs only", http.StatusMethodNotAllowed)
		case r.URL.IsAbs():
			d.serveProxied(w, r, r.URL.String())
		default:
			direct.ServeHTTP(w, r)
		}
	})
}

// checkMirror says why a mirrored server cannot be one.
func checkMirror(mirror string) error {
	u, err := url.Parse(mirror)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return fmt.Errorf("mirror %q is no server such as http://origin:8080", mirror)
	}
	return nil
}

// serveProxied downloads what is asked of the URL as a task and passes it on as its
// pieces come. The download outlives a client that hangs up: others may want it.
func (d *Daemon) serveProxied(w http.ResponseWriter, r *http.Request, url string) {
	digest, ok := piece.ParseDigest(r.Header.Get(headerDigest))
	if !ok {
		http.Error(w, headerDigest+" is not sha256:<64 hex digits>", http.StatusBadRequest)
		return
	}
	w.Header().Set(headerTask, piece.TaskID(url, digest))
	w.Header().Set(headerPeer, d.host.GetName())
	if r.Method == http.MethodHead {
		d.serveHead(w, r, url, digest)
		return
	}
	part, ranged := rangeOf(r)
	t := d.obtain(url, digest, part, false) //nolint:contextcheck // a download outlives the request that asked for it
	defer t.unpin()
	total, err := t.length(r.Context())
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	status := http.StatusOK
	offset, length, ok := part.Resolve(total)
	switch {
	case !ok || ranged && length == 0:
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", total))
		http.Error(w, fmt.Sprintf("%v: it has %d bytes", errNoSuchPart, total), http.StatusRequestedRangeNotSatisfiable)
		return
	case ranged:
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, offset+length-1, total))
	}
	d.pass(r.Context(), w, t, part, status, length)
}

// pass sends a part with its status as soon as the first byte is there: before that,
// a failure can still be told by a status of its own.
func (d *Daemon) pass(ctx context.Context, w http.ResponseWriter, t *task, part piece.Part, status int, length int64) {
	begun := false
	begin := func() {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
			w.WriteHeader(status)
		}
	}
	err := t.stream(ctx, pieceBeat(d.cfg.Profile), part, func(data []byte) error {
		if len(data) == 0 {
			return nil
		}
		begin()
		_, err := w.Write(data)
		return err
	})
	switch {
	case err == nil:
		begin() // an empty file
	case !begun:
		w.Header().Del("Content-Range")
		http.Error(w, err.Error(), statusOf(err))
	default:
		panic(http.ErrAbortHandler) // the client must see that the file is not whole
	}
}

// serveHead answers from what is known, or asks the origin for one byte: a look at a
// file must not bring all of it into the swarm.
func (d *Daemon) serveHead(w http.ResponseWriter, r *http.Request, url, digest string) {
	var total int64
	if t := d.held(piece.TaskID(url, digest)); t != nil && t.view().known {
		total = t.view().meta.GetLength()
	} else {
		body, _, err := source.Open(r.Context(), d.http, url, 0, 1, d.cfg.Profile)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		total = body.Total
		_ = body.Close()
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Length", strconv.FormatInt(total, 10))
}

// rangeOf reads the range that is asked for. What is none that this proxy serves (of
// several parts, of another unit, on a condition) asks for the whole file, as HTTP has it.
func rangeOf(r *http.Request) (part piece.Part, ranged bool) {
	spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !ok || r.Header.Get("If-Range") != "" {
		return piece.Part{}, false
	}
	return piece.ParsePart(strings.TrimSpace(spec))
}
