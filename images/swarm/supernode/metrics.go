package supernode

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/faultbed/faultbed/images/swarm/diag"
)

func (s *Supernode) registerMetrics() {
	gauge := func(name, help string, read func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(read())
		})
	}
	s.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		diag.Descriptors{},
		gauge("swarm_supernode_peers", "Counted peers.", func() int { return len(s.peers) }),
		gauge("swarm_supernode_refused_peers", "Peers that asked to register and were not taken.", func() int { return len(s.refused) }),
		gauge("swarm_supernode_tasks", "Known tasks.", func() int { return len(s.tasks) }),
		announceAges{s},
	)
}

// announceAges tells how long each counted peer has been silent.
type announceAges struct{ s *Supernode }

var announceAge = prometheus.NewDesc("swarm_supernode_announce_age_seconds", "Time since a peer's latest announcement.", []string{"peer"}, nil)

// Describe implements prometheus.Collector.
func (a announceAges) Describe(into chan<- *prometheus.Desc) { into <- announceAge }

// Collect implements prometheus.Collector.
func (a announceAges) Collect(into chan<- prometheus.Metric) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	for name, r := range a.s.peers {
		into <- prometheus.MustNewConstMetric(announceAge, prometheus.GaugeValue, time.Since(r.announced).Seconds(), name)
	}
}
