package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Doctor implements system.Doctoring. The supernodes are named, as the daemon that knows
// them may be dead.
func (s *System) Doctor(t topology.Topology, _ topology.Node) []string {
	cmd := []string{"/peer", "doctor", "--json", "--profile", s.timers.Name}
	for _, supernode := range t.Of(topology.Supernode) {
		cmd = append(cmd, "--supernode", fmt.Sprintf("%s:%d", supernode.Name, SupernodePort))
	}
	return cmd
}

// Findings implements system.Doctoring.
func (s *System) Findings(stdout []byte) ([]system.Finding, error) {
	var report struct {
		OK       bool             `json:"ok"`
		Findings []system.Finding `json:"findings"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(stdout), &report); err != nil {
		return nil, fmt.Errorf("the doctor printed %q instead of its findings: %w", strings.TrimSpace(string(stdout)), err)
	}
	return report.Findings, nil
}
