package daemon

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// Status is the answer of /status.
type Status struct {
	Name       string                `json:"name"`
	Release    string                `json:"release"`
	Protocol   string                `json:"protocol"`
	Registered bool                  `json:"registered"`
	Supernodes []string              `json:"supernodes"` // those that hold it
	Places     []PlaceStatus         `json:"places"`     // all that it is configured with
	Peers      []string              `json:"peers"`
	Hosts      []HostStatus          `json:"hosts"` // all that supernodes named
	PeerCount  int                   `json:"peer_count"`
	Tasks      map[string]TaskStatus `json:"tasks"`
	LastError  *diag.Failure         `json:"last_error"`
}

// PlaceStatus is one configured supernode in /status. AnnounceAgeMS is the time since the
// latest announcement there, -1 before the first. LastError is why it was out last.
type PlaceStatus struct {
	Supernode     string        `json:"supernode"`
	IP            string        `json:"ip,omitempty"`
	Registered    bool          `json:"registered"`
	AnnounceAgeMS int64         `json:"announce_age_ms"`
	LastError     *diag.Failure `json:"last_error,omitempty"`
}

// HostStatus is another peer in /status, as a supernode named it.
type HostStatus struct {
	Name      string `json:"name"`
	IP        string `json:"ip"`
	Release   string `json:"release"`
	Protocol  string `json:"protocol"`
	Seed      bool   `json:"seed"`
	Listed    bool   `json:"listed"` // false of a seed that was, and is no longer
	Answers   bool   `json:"answers"`
	GRPCPort  int32  `json:"grpc_port"`
	ProxyPort int32  `json:"proxy_port"`
	PiecePort int32  `json:"piece_port"`
}

// TaskStatus is one task in /status. State is running, done, failed or partial; From
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
		Name: d.host.GetName(), Release: d.can.Release, Protocol: d.can.Protocol,
		Supernodes: d.membership.supernodes(), Places: d.membership.status(), Peers: d.mesh.names(), Hosts: d.mesh.status(), Tasks: map[string]TaskStatus{}, LastError: d.reporter.Last(),
	}
	s.Registered, s.PeerCount = len(s.Supernodes) > 0, len(s.Peers)
	for _, t := range d.allTasks() {
		v := t.view()
		ts := TaskStatus{
			URL: t.url, Length: v.meta.GetLength(), Held: v.count, State: "failed", SHA256: v.sha,
			Pieces: v.layout().Count(), From: map[string]int64{},
		}
		switch {
		case v.running:
			ts.State = "running"
		case v.done:
			ts.State = "done"
		case v.err != nil:
			ts.Error = v.err.Error()
		default:
			ts.State = "partial" // what was wanted of it is here, or a former life left it so
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

// status says of each configured supernode how the peer stands with it.
func (m *membership) status() []PlaceStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []PlaceStatus{}
	for _, p := range m.places {
		for _, target := range p.targets {
			s := PlaceStatus{Supernode: target, AnnounceAgeMS: -1, LastError: m.d.reporter.KeptOut(target)}
			if p.conn != nil && p.conn.Target == target {
				s.IP, s.Registered = p.conn.IP(), true
				if !p.announced.IsZero() {
					s.AnnounceAgeMS = time.Since(p.announced).Milliseconds()
				}
			}
			all = append(all, s)
		}
	}
	return all
}

// status says whom supernodes named, by name, and who of them answers; then the seeds
// that they named once.
func (m *mesh) status() []HostStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []HostStatus{}
	for _, name := range slices.Sorted(maps.Keys(m.links)) {
		h := hostStatus(m.links[name].host)
		h.Listed, h.Answers = true, m.links[name].alive
		all = append(all, h)
	}
	for _, name := range slices.Sorted(maps.Keys(m.former)) {
		all = append(all, hostStatus(m.former[name]))
	}
	return all
}

func hostStatus(h *pb.Host) HostStatus {
	return HostStatus{
		Name: h.GetName(), IP: h.GetIp(), Release: h.GetRelease(), Protocol: h.GetProtocol(), Seed: h.GetSeed(),
		GRPCPort: h.GetGrpcPort(), ProxyPort: h.GetProxyPort(), PiecePort: h.GetPiecePort(),
	}
}
