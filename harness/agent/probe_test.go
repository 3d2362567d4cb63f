package agent

import (
	"testing"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

func TestWireKeepsItsFieldsApart(t *testing.T) {
	got := wireFrom(&agentpb.Wire{
		SegmentsOut: 1, SegmentsIn: 2, Retransmitted: 3, OutOfOrder: 4, Duplicated: 5, PathMtu: 6, SendMss: 7, ReceiveMss: 8,
	})
	want := Wire{
		SegmentsOut: 1, SegmentsIn: 2, Retransmitted: 3, OutOfOrder: 4, Duplicated: 5, PathMTU: 6, SendMSS: 7, ReceiveMSS: 8,
	}
	if got != want {
		t.Errorf("wire %+v, want %+v", got, want)
	}
	if wireFrom(nil) != (Wire{}) {
		t.Error("no wire has one")
	}
}
