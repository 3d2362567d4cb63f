package daemon

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// Status is the answer of /status.
type Status struct {
	Name       string                `json:"name"`
	Release    string                `json:"release"`
	Registered bool                  `json:"registered"`
	Supernodes []string              `json:"supernodes"` // those that hold it
	Peers      []string              `json:"peers"`
	PeerCount  int                   `json:"peer_count"`
	Tasks      map[string]TaskStatus `json:"tasks"`
	LastError  *diag.Failure         `json:"last_error"`
}

// TaskStatus is one task in /status. State is running, done or failed; From
// counts bytes by the kind of node that gave them.
type TaskStatus struct {
	URL    string           `json:"url"`
	Length int64            `json:"length"`
	Held   int              `json:"held"`
	Pieces int              `json:"pieces"`
	State  string           `json:"state"`
	SHA256 string           `json:"sha256,omitempty"`
	Error  string           `json:"error,omitempty"`
	From   map[string]int64 `json:"from"`
}

// Snapshot is the state of the peer as /status gives it.
func (d *Daemon) Snapshot() Status {
	s := Status{
		Name: d.host.GetName(), Release: d.can.Release, Supernodes: d.membership.supernodes(),
		Peers: d.mesh.names(), Tasks: map[string]TaskStatus{}, LastError: d.reporter.Last(),
	}
	s.Registered, s.PeerCount = len(s.Supernodes) > 0, len(s.Peers)
	for _, t := range d.allTasks() {
		v := t.view()
		ts := TaskStatus{
			URL: t.url, Length: v.meta.GetLength(), Held: v.count, State: "failed", SHA256: v.sha,
			Pieces: piece.Layout{Length: v.meta.GetLength(), Size: v.meta.GetPieceSize()}.Count(), From: map[string]int64{},
		}
		switch {
		case v.running:
			ts.State = "running"
		case v.done:
			ts.State = "done"
		case v.err != nil:
			ts.Error = v.err.Error()
		}
		for by, n := range v.from {
			ts.From[string(by)] = n
		}
		s.Tasks[t.id] = ts
	}
	return s
}

func (d *Daemon) statusRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthy", healthy)
	mux.HandleFunc("GET /probe", probe)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d.Snapshot())
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // what hangs shows in goroutine?debug=2
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

func (d *Daemon) registerMetrics() {
	d.bytes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swarm_peer_bytes_total", Help: "Content bytes by where they came from, and those uploaded to others.",
	}, []string{"kind"})
	d.registry.MustRegister(
		d.bytes,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "swarm_peer_registered", Help: "1 while registered with a supernode."},
			func() float64 {
				if len(d.membership.supernodes()) > 0 {
					return 1
				}
				return 0
			}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "swarm_peer_peers", Help: "Other peers that answer."},
			func() float64 { return float64(len(d.mesh.names())) }),
	)
}
