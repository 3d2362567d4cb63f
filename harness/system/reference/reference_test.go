package reference_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
)

func newSystem(t *testing.T) *reference.System {
	t.Helper()
	s, err := reference.New(map[string]string{"supernode@2.2.1": "sn", "peer@2.2.1": "p", "peer@2.1.0": "old", "origin": "o"}, "fast")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContainer(t *testing.T) {
	s := newSystem(t)
	for _, tc := range []struct {
		topo  topology.Topology
		node  string
		image string
		cmd   string
	}{
		{topology.Small(), "supernode-1", "sn", "--hostname supernode-1 --idc a --location earth|a --profile fast --seed-peer seed-1:65000 --seed-peer seed-2:65000"},
		{topology.Small().SeededBy("nobody:1"), "supernode-1", "sn", "--hostname supernode-1 --idc a --location earth|a --profile fast --seed-peer nobody:1"},
		{topology.Small(), "seed-2", "p", "daemon --hostname seed-2 --idc a --location earth|a --profile fast --seed --supernode supernode-1:8002"},
		{topology.Small().Released(topology.Previous, "peer-1").Located("b", "peer-1"), "peer-1", "old", "daemon --hostname peer-1 --idc b --location earth|b --profile fast --supernode supernode-1:8002"},
		{topology.Small().Called("peer-1", "peer-2"), "peer-2", "p", "daemon --hostname peer-1 --idc a --location earth|a --profile fast --supernode supernode-1:8002"},
		{topology.Small().Quota(7, "peer-2"), "peer-2", "p", "daemon --hostname peer-2 --idc a --location earth|a --profile fast --quota 7 --supernode supernode-1:8002"},
		{topology.Small().OriginLimited(5), "origin-1", "o", "--rate 5"},
	} {
		n, _ := tc.topo.Node(tc.node)
		c, err := s.Container(tc.topo, n)
		if got := strings.Join(c.Cmd, " "); err != nil || c.Image != tc.image || got != tc.cmd {
			t.Errorf("%s: %s %s, %v; want %s %s", tc.node, c.Image, got, err, tc.image, tc.cmd)
		}
	}
	n, _ := topology.Small().Released("9.9.9").Node("peer-1")
	if _, err := s.Container(topology.Small(), n); err == nil || !strings.Contains(err.Error(), "peer@9.9.9") {
		t.Errorf("a release that is not built: %v", err)
	}
}

func TestClaim(t *testing.T) {
	s := newSystem(t)
	got, err := s.Claim([]byte("progress\n" + `{"ok":true,"bytes":9,"from":{"origin":1,"seeds":2,"peers":6}}` + "\n"))
	if err != nil || !got.OK || got.From != (history.From{Origin: 1, Seeds: 2, Peers: 6}) {
		t.Errorf("claim %+v, %v", got, err)
	}
	for _, junk := range []string{"", "panic: boom", "{"} {
		if _, err := s.Claim([]byte(junk)); err == nil {
			t.Errorf("%q was taken for a result", junk)
		}
	}
}

func TestDiagnoses(t *testing.T) {
	log := `{"time":"2026-11-22T21:12:39.1Z","level":"INFO","msg":"task start"}
not JSON
{"time":"2026-11-22T21:12:40.5Z","level":"WARN","msg":"connection failed","step":"piece","target":"10.0.0.1:65002","attempt":2,"cause":"stalled","error":"x"}
`
	got := newSystem(t).Diagnoses(topology.Node{}, []byte(log))
	at := time.Date(2026, 11, 22, 21, 12, 40, 500_000_000, time.UTC)
	if len(got) != 1 || got[0].Step != "piece" || got[0].Target != "10.0.0.1:65002" || got[0].Cause != "stalled" || got[0].Attempt != 2 || !got[0].At.Equal(at) {
		t.Errorf("diagnoses %+v", got)
	}
}

func TestEveryPortCanBeProbed(t *testing.T) {
	s := newSystem(t)
	for _, role := range []topology.Role{topology.Supernode, topology.Seed, topology.Peer, topology.Origin} {
		ports := s.Ports(role)
		if len(ports) == 0 {
			t.Errorf("%s has no port", role)
		}
		for _, p := range ports {
			if !slices.Contains([]string{"grpc", "http"}, p.Protocol) || p.Protocol == "http" && p.Health == "" || p.Bulk != "" && !strings.Contains(p.Bulk, "%d") {
				t.Errorf("%s: port %+v", role, p)
			}
		}
	}
}

func TestAdmitted(t *testing.T) {
	for supernode, want := range map[string]string{
		"2.0.0": "peer-1 peer-2", "2.1.0": "peer-1 peer-2 peer-3", topology.Stable: "peer-2 peer-3 peer-4",
		topology.Next: "peer-3 peer-4", topology.NextMajor: "peer-5",
	} {
		topo := topology.Of(1, 0, 5).Released(supernode, "supernode-1").Released("2.0.0", "peer-1").
			Released(topology.Previous, "peer-2").Released(topology.Next, "peer-4").Released(topology.NextMajor, "peer-5")
		admitted, refused := system.Admitted(newSystem(t), topo, topology.Peer)
		if got := strings.Join(topology.Names(admitted), " "); got != want || len(admitted)+len(refused) != 5 {
			t.Errorf("a supernode %s admits %s and refuses %v, want %s", supernode, got, topology.Names(refused), want)
		}
	}
}

func TestFindings(t *testing.T) {
	s := newSystem(t)
	n, _ := topology.Small().Node("peer-1")
	if got, want := strings.Join(s.Doctor(topology.Small(), n), " "), "/peer doctor --json --profile fast --supernode supernode-1:8002"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	got, err := s.Findings([]byte(`{"ok":false,"findings":[{"check":"dns","target":"s","result":"problem","fact":"no such host","cure":"correct it"}]}` + "\n"))
	want := system.Finding{Check: "dns", Target: "s", Result: "problem", Fact: "no such host", Cure: "correct it"}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("findings %+v, %v", got, err)
	}
	if _, err := s.Findings([]byte("panic: boom")); err == nil {
		t.Error("junk was taken for findings")
	}
}
