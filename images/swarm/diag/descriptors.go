package diag

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// Descriptors tells how many file descriptors this process has open, and how many it may.
// The process collector of Prometheus falls silent when there are none left to read /proc
// with, which is when one looks.
type Descriptors struct{}

var (
	openDescriptors = prometheus.NewDesc("swarm_open_descriptors", "Open file descriptors.", nil, nil)
	maxDescriptors  = prometheus.NewDesc("swarm_max_descriptors", "File descriptors that may be open.", nil, nil)
)

// Describe implements prometheus.Collector.
func (Descriptors) Describe(into chan<- *prometheus.Desc) {
	into <- openDescriptors
	into <- maxDescriptors
}

// Collect implements prometheus.Collector.
func (Descriptors) Collect(into chan<- prometheus.Metric) {
	open, limit, err := OpenDescriptors()
	if err != nil {
		return
	}
	into <- prometheus.MustNewConstMetric(openDescriptors, prometheus.GaugeValue, float64(open))
	into <- prometheus.MustNewConstMetric(maxDescriptors, prometheus.GaugeValue, float64(limit))
}

// OpenDescriptors counts this process's own. Where none is left to count with, all are open.
func OpenDescriptors() (open, limit uint64, err error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, 0, fmt.Errorf("read the limit of descriptors: %w", err)
	}
	entries, err := os.ReadDir("/proc/self/fd")
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return r.Cur, r.Cur, nil
	case err != nil:
		return 0, 0, fmt.Errorf("count descriptors: %w", err)
	}
	return uint64(len(entries) - 1), r.Cur, nil // less the one that was read through
}
