package supernode

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/faultbed/faultbed/images/swarm/diag"
)

// Peers is the answer of /peers.
type Peers struct {
	Release     string        `json:"release"`
	Protocol    string        `json:"protocol"`
	Count       int           `json:"count"`
	Peers       []Peer        `json:"peers"`
	Refused     []Refused     `json:"refused"`
	LastFailure *diag.Failure `json:"last_error,omitempty"`
}

// Peer is one counted peer in /peers. Held counts pieces by task.
type Peer struct {
	Name           string         `json:"name"`
	IP             string         `json:"ip"`
	Release        string         `json:"release"`
	Type           string         `json:"type"`
	IDC            string         `json:"idc"`
	Location       string         `json:"location"`
	State          string         `json:"state"`
	Reachable      bool           `json:"reachable"`
	UploadFailures int            `json:"upload_failures"`
	AnnounceAgeMS  int64          `json:"announce_age_ms"`
	Held           map[string]int `json:"held"`
}

// Snapshot lists the counted and the refused peers as /peers does.
func (s *Supernode) Snapshot() Peers {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	out := Peers{Release: s.can.Release, Protocol: s.can.Protocol, Count: len(s.peers), Peers: []Peer{}, Refused: []Refused{}, LastFailure: s.reporter.Last()}
	for _, r := range s.roster {
		p := Peer{
			Name: r.host.GetName(), IP: r.host.GetIp(), Release: r.host.GetRelease(), Type: "normal",
			IDC: r.host.GetIdc(), Location: r.host.GetLocation(), State: "active", Reachable: r.reachable,
			UploadFailures: r.recentFailures(now, s.cfg.Profile.FailureAgeOut),
			AnnounceAgeMS:  now.Sub(r.announced).Milliseconds(), Held: map[string]int{},
		}
		if r.host.GetSeed() {
			p.Type = "seed"
		}
		for id, held := range r.held {
			p.Held[id] = held.Count()
		}
		out.Peers = append(out.Peers, p)
	}
	for _, refused := range s.refused {
		out.Refused = append(out.Refused, refused)
	}
	return out
}

func (s *Supernode) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthy", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /peers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Snapshot())
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // what hangs shows in goroutine?debug=2
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}
