package dragonfly

import (
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Diagnoses implements system.System.
func (s *System) Diagnoses(topology.Node, []byte) []system.Diagnosis { return nil }
