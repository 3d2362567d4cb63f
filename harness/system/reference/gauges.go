package reference

import (
	"bytes"
	"context"
	"fmt"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Goroutines implements system.Gauged. The one that answers is among them, each time.
func (s *System) Goroutines(ctx context.Context, in system.Inside, node topology.Node) (int, error) {
	port := StatusPort
	if node.Role == topology.Supernode {
		port = metricsPort
	}
	text, err := in.Get(ctx, node.Name, fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("parse metrics of %s: %w", node.Name, err)
	}
	gauges := families["go_goroutines"].GetMetric()
	if len(gauges) != 1 {
		return 0, fmt.Errorf("metrics of %s have no go_goroutines: %w", node.Name, system.ErrNotCounted)
	}
	return int(gauges[0].GetGauge().GetValue()), nil
}
