package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/topology"
)

func link(client, server string, port int, down, conns int64) history.LinkBytes {
	return history.LinkBytes{Client: client, Server: server, Port: port, Up: 10 * conns, Down: down, Conns: conns}
}

func TestSinceLeavesOutWhatStoodStill(t *testing.T) {
	before := ledger.Book{link("peer-1", "seed-1", 65002, 100, 1), link("peer-2", "seed-1", 65002, 7, 1)}
	after := ledger.Book{link("peer-2", "seed-1", 65002, 7, 1), link("peer-1", "seed-1", 65002, 350, 3), link("peer-1", "origin-1", 80, 20, 1)}
	want := ledger.Book{link("peer-1", "origin-1", 80, 20, 1), link("peer-1", "seed-1", 65002, 250, 2)}
	if diff := cmp.Diff(want, after.Since(before)); diff != "" {
		t.Errorf("what passed since (-want +got):\n%s", diff)
	}
	if got := after.Since(after); len(got) != 0 {
		t.Errorf("nothing passed, and it says %v", got)
	}
}

func TestWhoServedWhom(t *testing.T) {
	small := topology.Small()
	content := ledger.Content{topology.Origin: 80, topology.Seed: 65002, topology.Peer: 65002}
	book := ledger.Book{
		link("peer-1", "origin-1", 80, 1, 1),
		link("peer-1", "seed-1", 65002, 20, 1),
		link("peer-1", "seed-2", 65002, 300, 1),
		link("peer-1", "peer-2", 65002, 4000, 1),
		link("peer-1", "peer-2", 65000, 50000, 1), // talk, not content
		link("peer-3", "peer-2", 65002, 600000, 1),
		link("peer-1", "supernode-1", 8002, 7000000, 1),
	}
	if got, want := book.From("peer-1", small, content), (history.From{Origin: 1, Seeds: 320, Peers: 4000}); got != want {
		t.Errorf("peer-1 got %+v, want %+v", got, want)
	}
	if got := book.Served(small, content, "peer-2"); got != 604000 {
		t.Errorf("peer-2 served %d bytes, want 604000", got)
	}
	if got := book.Served(small, content, "seed-1", "seed-2"); got != 320 {
		t.Errorf("the seeds served %d bytes, want 320", got)
	}
}
