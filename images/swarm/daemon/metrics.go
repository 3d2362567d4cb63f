package daemon

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/faultbed/faultbed/images/swarm/diag"
)

func (d *Daemon) registerMetrics() {
	d.bytes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swarm_peer_bytes_total", Help: "Content bytes by where they came from, and those uploaded to others.",
	}, []string{"kind"})
	d.registry.MustRegister(
		d.bytes,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		diag.Descriptors{},
		places{d.membership},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "swarm_peer_peers", Help: "Other peers that answer."},
			func() float64 { return float64(len(d.mesh.names())) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "swarm_peer_uploads", Help: "Uploads under way."},
			func() float64 { return float64(d.uploads.Load()) }),
	)
}

// places tells of each configured supernode how the peer stands with it.
type places struct{ m *membership }

var (
	registered = prometheus.NewDesc("swarm_peer_registered", "1 while registered with the supernode.", []string{"supernode"}, nil)
	announced  = prometheus.NewDesc("swarm_peer_announce_age_seconds", "Time since the latest announcement to the supernode.", []string{"supernode"}, nil)
)

// Describe implements prometheus.Collector.
func (p places) Describe(into chan<- *prometheus.Desc) { into <- registered; into <- announced }

// Collect implements prometheus.Collector.
func (p places) Collect(into chan<- prometheus.Metric) {
	seen := map[string]bool{} // a supernode that is configured twice is one
	for _, s := range p.m.status() {
		if seen[s.Supernode] {
			continue
		}
		seen[s.Supernode] = true
		in := 0.0
		if s.Registered {
			in = 1
		}
		into <- prometheus.MustNewConstMetric(registered, prometheus.GaugeValue, in, s.Supernode)
		if s.AnnounceAgeMS >= 0 {
			into <- prometheus.MustNewConstMetric(announced, prometheus.GaugeValue, float64(s.AnnounceAgeMS)/1000, s.Supernode)
		}
	}
}
