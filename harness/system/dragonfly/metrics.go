package dragonfly

import (
	"bytes"
	"context"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Families of metrics. A daemon counts bytes from the origin, and tells those from seeds
// and peers apart by nothing; a scheduler's own figures miss what it never heard of.
const (
	backSource = "dragonfly_dfdaemon_back_source_total"
	announces  = "dragonfly_scheduler_announce_host_total"
	calls      = "grpc_client_handled_total"
)

// readMetrics asks a node for its metrics.
func readMetrics(ctx context.Context, in system.Inside, node string) (map[string]*dto.MetricFamily, error) {
	url := fmt.Sprintf("http://127.0.0.1:%d/metrics", metricsPort)
	text, err := in.Get(ctx, node, url)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse metrics of %s: %w", node, err)
	}
	return families, nil
}

// sum adds the counters of a family that have these labels.
func sum(family *dto.MetricFamily, labels map[string]string) float64 {
	var total float64
	for _, m := range family.GetMetric() {
		matching := 0
		for _, l := range m.GetLabel() {
			if want, asked := labels[l.GetName()]; asked && want == l.GetValue() {
				matching++
			}
		}
		if matching == len(labels) {
			total += m.GetCounter().GetValue()
		}
	}
	return total
}

// Status implements system.System: a daemon has registered when a scheduler has accepted
// its announcement once; it does not say what came after. It holds no list of peers.
func (s *System) Status(ctx context.Context, in system.Inside, peer topology.Node) (system.Status, error) {
	families, err := readMetrics(ctx, in, peer.Name)
	if err != nil {
		return system.Status{}, err
	}
	accepted := sum(families[calls], map[string]string{"grpc_method": "AnnounceHost", "grpc_code": "OK"})
	return system.Status{Registered: accepted > 0}, nil
}

// Counted implements system.Witness. Bytes that the dfget command fetched from the origin
// when its daemon had failed are in no daemon's metrics.
func (s *System) Counted(ctx context.Context, in system.Inside, peer topology.Node) (history.From, error) {
	r, err := s.release(peer)
	if err != nil {
		return history.From{}, err
	}
	if !r.backSource {
		return history.From{}, fmt.Errorf("%s at %s: %w", peer.Name, r.version, system.ErrNotCounted)
	}
	families, err := readMetrics(ctx, in, peer.Name)
	if err != nil {
		return history.From{}, err
	}
	family, ok := families[backSource]
	if !ok {
		return history.From{}, fmt.Errorf("%s: no %s among its metrics: %w", peer.Name, backSource, system.ErrNotCounted)
	}
	return history.From{Origin: int64(sum(family, nil))}, nil
}
