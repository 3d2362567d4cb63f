package history_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
)

func TestRunGoesToJSONAndBackWithoutLoss(t *testing.T) {
	at := func(ms int64) *int64 { return &ms }
	want := history.Run{ID: "x", Seed: 1 << 60, Images: map[string]history.Image{"peer": {Ref: "a", Digest: "b"}}, Started: time.Unix(5, 6).UTC(), Scenarios: []history.Scenario{{
		Name: "a <b> & c", Labels: []string{"l"}, Verdict: history.Known, Known: &history.KnownIssue{Why: "w"},
		History: history.History{
			Started: time.Unix(7, 8).UTC(), BedReadyMS: at(0),
			Nodes:      []history.Node{{Name: "peer-1", Role: "peer", Release: "2.2.1", Address: "10.0.0.1"}},
			Samples:    []history.Sample{{AtMS: 250, Origin: 1 << 40, Seeds: 2, Peers: 3, Conns: 4, Failed: 5}},
			Complaints: []history.Complaint{{Node: "peer-1", Step: "list", Target: "seed-1:65000", Cause: "reset", Count: 2, FirstMS: 1, LastMS: 9, Error: "e", Line: "{\"a\":1}"}},
			Log:        []history.LogLine{{AtMS: -3, Node: "peer-1", Text: "\tpanic"}},
			Ledger:     []history.LinkBytes{{Client: "a", Server: "b", Port: 1, Up: 2, Down: 3, Conns: 4, FirstMS: at(0), LastMS: at(7)}, {Client: "a"}},
			PeerCount:  []history.PeerCount{{AtMS: 1, Supernode: "s", N: 0}},
			Steps:      []history.Step{{AtMS: 1, Text: "By x"}},
			Faults:     []history.Fault{{AppliedMS: at(1), Receipt: history.Receipt{Probe: history.Plane{During: []history.Reading{{Wire: history.Wire{PathMTU: 9}}}}}}},
		},
	}}}
	path := filepath.Join(t.TempDir(), "run.json")
	if err := history.Write(path, want); err != nil {
		t.Fatal(err)
	}
	var got history.Run
	if err := history.Read(path, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what comes back differs:\n%s", d)
	}
}
