package agent

import (
	"net/netip"
	"testing"
)

// TestEveryFieldOfARuleTravels fills all of a rule.
func TestEveryFieldOfARuleTravels(t *testing.T) {
	full := Rule{
		Node: "node", Direction: Downstream, Leaving: true, Ports: []uint16{1}, UDP: []uint16{2},
		Originals: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3")}, Peers: []netip.Addr{netip.MustParseAddr("10.0.0.2")},
		LongerThan: 4, Sample: Sample{PerMillion: 5, Burst: 6, Indices: []uint32{7}}, Verdict: Corrupt, Code: 8,
	}.wire().ProtoReflect()
	fields := full.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !full.Has(field) {
			t.Errorf("%s does not travel", field.Name())
		}
	}
}
