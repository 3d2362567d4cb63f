package swarm_test

import (
	"errors"
	"testing"

	"github.com/faultbed/faultbed/images/swarm"
)

// Seen red by letting 3.0.0 accept protocol 2.2, and by giving 2.1.0 a capability.
func TestReleases(t *testing.T) {
	for _, release := range []string{"2.1.0", "2.2.1", "3.0.0"} {
		can, err := swarm.CapabilitiesOf(release)
		if err != nil {
			t.Fatal(err)
		}
		later := release != "2.1.0"
		if can.SeedFallback != later || can.Retry != later || can.DiagnosticLog != later {
			t.Errorf("capabilities of %+v", can)
		}
		for _, other := range []string{"2.1.0", "2.2.1", "3.0.0"} {
			otherCan, err := swarm.CapabilitiesOf(other)
			if err != nil {
				t.Fatal(err)
			}
			sameMajor := release[0] == other[0]
			err = swarm.CheckProtocol("supernode", can, "peer", other, otherCan.Protocol)
			if (err == nil) != sameMajor || (err != nil && !errors.Is(err, swarm.ErrVersionMismatch)) {
				t.Errorf("%s with %s: %v", release, other, err)
			}
		}
	}
	if _, err := swarm.CapabilitiesOf("2.9.9"); err == nil {
		t.Error("an unknown release has capabilities")
	}
	if _, err := swarm.CapabilitiesOf(swarm.Release); err != nil {
		t.Error(err)
	}
}
