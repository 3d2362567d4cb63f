// Package diag is how a node says what went wrong: one JSON line for each failed
// connection, with its target and exact cause, and the last one kept for status pages.
package diag

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faultbed/faultbed/images/swarm/cause"
)

// Step is the part of a node's work in which a connection failed.
type Step string

// The steps that a log line can name.
const (
	Register Step = "register"
	Announce Step = "announce"
	List     Step = "list"
	Piece    Step = "piece"
	Origin   Step = "origin"
	Check    Step = "check"
	Seed     Step = "seed"
	Accept   Step = "accept"
)

// Failure is one failed connection.
type Failure struct {
	Step    Step        `json:"step"`
	Target  string      `json:"target"`
	IP      string      `json:"ip,omitempty"`
	Attempt int         `json:"attempt"`
	Cause   cause.Cause `json:"cause"`
	Error   string      `json:"error"`
	At      time.Time   `json:"at"`
}

// Reporter logs and counts failed connections. A quiet one (releases without the
// diagnostic log) only counts and remembers them.
type Reporter struct {
	log      *slog.Logger
	quiet    bool
	failures *prometheus.CounterVec
	retries  *prometheus.CounterVec

	mu   sync.Mutex
	last *Failure
	out  map[string]Failure // the latest of Register and Announce, by target
}

// NewReporter reports to log, or to nobody if quiet; registry takes its counters.
func NewReporter(log *slog.Logger, quiet bool, registry prometheus.Registerer) *Reporter {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swarm_connection_failures_total", Help: "Failed connections by step and cause.",
	}, []string{"step", "cause"})
	retries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swarm_connection_retries_total", Help: "Failed connections that were tries again after a failure, by step and cause.",
	}, []string{"step", "cause"})
	registry.MustRegister(failures, retries)
	return &Reporter{log: log, quiet: quiet, failures: failures, retries: retries, out: map[string]Failure{}}
}

// Failed reports one failed connection; attempt counts from 1.
func (r *Reporter) Failed(step Step, target, ip string, attempt int, err error) {
	f := Failure{Step: step, Target: target, IP: ip, Attempt: attempt, Cause: cause.Of(err), Error: err.Error(), At: time.Now().UTC()}
	r.failures.WithLabelValues(string(step), string(f.Cause)).Inc()
	if attempt > 1 {
		r.retries.WithLabelValues(string(step), string(f.Cause)).Inc()
	}
	r.mu.Lock()
	r.last = &f
	if step == Register || step == Announce {
		r.out[target] = f // as many as there are supernodes
	}
	r.mu.Unlock()
	if r.quiet {
		return
	}
	r.log.Warn("connection failed",
		slog.String("step", string(step)), slog.String("target", target), slog.String("ip", ip),
		slog.Int("attempt", attempt), slog.String("cause", string(f.Cause)), slog.String("error", f.Error))
}

// Last returns the latest failure, or nil.
func (r *Reporter) Last() *Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// KeptOut is the latest failure to register with a supernode or to stay there, or nil.
func (r *Reporter) KeptOut(supernode string) *Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.out[supernode]; ok {
		return &f
	}
	return nil
}

// NewLog is the log of a node: JSON lines on stdout.
func NewLog(role, name, release string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("role", role, "node", name, "release", release)
}
