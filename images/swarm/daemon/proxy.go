package daemon

import (
	"net/http"
	"strconv"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

// proxyRoutes is the proxy port: the connectivity check that operators make, and
// an HTTP proxy whose GETs go through the swarm.
func (d *Daemon) proxyRoutes() http.Handler {
	direct := http.NewServeMux()
	direct.HandleFunc("GET /healthy", healthy)
	direct.HandleFunc("GET /probe", probe)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect || r.URL.IsAbs() && r.Method != http.MethodGet:
			http.Error(w, "this proxy serves GET of http URLs only", http.StatusMethodNotAllowed)
		case r.URL.IsAbs():
			d.serveProxied(w, r)
		default:
			direct.ServeHTTP(w, r)
		}
	})
}

// serveProxied downloads the URL as a task and passes it on, a whole file as its
// pieces come, a range once the file is here.
func (d *Daemon) serveProxied(w http.ResponseWriter, r *http.Request) {
	t := d.obtain(r.URL.String(), "", piece.Part{}, false) //nolint:contextcheck // a download outlives the request that asked for it
	defer t.unpin()
	w.Header().Set("X-Swarm-Task", t.id)
	w.Header().Set("X-Swarm-Peer", d.host.GetName())
	if r.Header.Get("Range") != "" {
		if err := t.stream(r.Context(), pieceBeat(d.cfg.Profile), piece.Part{}, func([]byte) error { return nil }); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		serveWhole(w, r, t)
		return
	}
	begun := false
	err := t.stream(r.Context(), pieceBeat(d.cfg.Profile), piece.Part{}, func(data []byte) error {
		if len(data) > 0 && !begun {
			begun = true
			w.Header().Set("Content-Length", strconv.FormatInt(t.view().meta.GetLength(), 10))
		}
		_, err := w.Write(data)
		return err
	})
	switch {
	case err != nil && !begun:
		http.Error(w, err.Error(), http.StatusBadGateway)
	case err != nil:
		panic(http.ErrAbortHandler) // the client must see that the file is not whole
	}
}
