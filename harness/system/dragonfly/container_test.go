package dragonfly

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

var update = flag.Bool("update", false, "write the golden files anew")

var stores = Stores{
	Database: Store{"maria", []string{"/usr/sbin/mariadbd", "--user=root"}, map[string]string{"A": "b"}},
	Cache:    Store{Image: "redis", Cmd: []string{"redis-server"}},
}

// newSystem returns a system with all images that Refs names.
func newSystem(t *testing.T, release, profile string) *System {
	t.Helper()
	images, optional, err := Refs(release, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, ref := range optional {
		images[key] = ref
	}
	images["origin"] = "o"
	s, err := New(images, release, profile, stores)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func container(t *testing.T, s *System, topo topology.Topology, node string) system.Container {
	t.Helper()
	n, ok := topo.Node(node)
	if !ok {
		t.Fatalf("no node %s", node)
	}
	c, err := s.Container(topo, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConfigs compares what is rendered for each release and profile with golden files.
func TestConfigs(t *testing.T) {
	nodes := map[string]string{"manager": "manager-1", "scheduler": "supernode-1", "seed": "seed-1", "peer": "peer-1"}
	for _, r := range releases {
		for _, profile := range []string{"fast", "production"} {
			s := newSystem(t, r.version, profile)
			topo := s.Furnish(topology.Small())
			for role, node := range nodes {
				path := filepath.Join("..", "..", "..", "fixtures", "dragonfly", "golden", r.version, profile, role+".yaml")
				c := container(t, s, topo, node)
				if len(c.Files) != 1 {
					t.Fatalf("%s has %d files, want one", node, len(c.Files))
				}
				for _, got := range c.Files {
					golden(t, path, got)
				}
			}
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go test with -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s", path, cmp.Diff(string(want), string(got)))
	}
}

// TestKeysOfReleases: what a release does not know is not written for it.
func TestKeysOfReleases(t *testing.T) {
	for version, want := range map[string]bool{"v2.1.0": false, "v2.1.30": false, "v2.1.67": true, "v2.3.0": true} {
		s := newSystem(t, version, "fast")
		config := container(t, s, s.Furnish(topology.Small()), "supernode-1").Files[schedulerFile]
		if got := bytes.Contains(config, []byte("taskDownloadTimeout")); got != want {
			t.Errorf("scheduler %s is told taskDownloadTimeout: %v, want %v", version, got, want)
		}
	}
}

func TestContainer(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	mixed := topology.Small().
		Released(topology.Previous, "supernode-1").
		Released(topology.Next, "peer-1").
		Released("v2.1.0", "peer-2").
		Released("2.2.3", "seed-2").
		OriginLimited(5)
	topo := s.Furnish(mixed)
	for node, want := range map[string]struct {
		image, cmd, file string
		foreign          bool
		after            []topology.Role
	}{
		"manager-1":   {"dragonflyoss/manager:v2.1.67", managerProgram, managerFile, true, []topology.Role{topology.Database, topology.Cache}},
		"supernode-1": {"dragonflyoss/scheduler:v2.1.67", schedulerProgram, schedulerFile, true, []topology.Role{topology.Cache, topology.Manager}},
		"seed-1":      {"dragonflyoss/dfdaemon:v2.2.1", dfget + " daemon", daemonFile, true, []topology.Role{topology.Manager, topology.Supernode}},
		"seed-2":      {"dragonflyoss/dfdaemon:v2.2.3", dfget + " daemon", daemonFile, true, []topology.Role{topology.Manager, topology.Supernode}},
		"peer-1":      {"dragonflyoss/dfdaemon:v2.3.0", dfget + " daemon", daemonFile, true, []topology.Role{topology.Manager, topology.Supernode}},
		"peer-2":      {"dragonflyoss/dfdaemon:v2.1.0", dfget + " daemon", daemonFile, true, []topology.Role{topology.Manager, topology.Supernode}},
		"database-1":  {"maria", "/usr/sbin/mariadbd --user=root", "", true, nil},
		"cache-1":     {"redis", "redis-server", "", true, nil},
		"origin-1":    {"o", "--rate 5", "", false, nil},
	} {
		c := container(t, s, topo, node)
		_, hasFile := c.Files[want.file]
		cmd := strings.Join(append(slices.Clone(c.Entrypoint), c.Cmd...), " ")
		if c.Image != want.image || cmd != want.cmd || c.Foreign != want.foreign || !slices.Equal(c.After, want.after) || hasFile != (want.file != "") {
			t.Errorf("%s: %+v; want %+v", node, c, want)
		}
	}
}

func TestContainerOfACandidate(t *testing.T) {
	images, _, err := Refs("v2.2.1", map[string]string{"peer": "mine:dev"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(images, "v2.2.1", "fast", stores)
	if err != nil {
		t.Fatal(err)
	}
	topo := s.Furnish(topology.Small())
	if c := container(t, s, topo, "peer-1"); c.Image != "mine:dev" {
		t.Errorf("the peer runs %s, want the candidate", c.Image)
	}
	if c := container(t, s, topo, "seed-1"); c.Image != "dragonflyoss/dfdaemon:v2.2.1" {
		t.Errorf("the seed runs %s, want the release", c.Image)
	}
}

// TestNodesThatCannotBe: each gets one line that names the node.
func TestNodesThatCannotBe(t *testing.T) {
	images, _, err := Refs("v2.2.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(images, "v2.2.1", "fast", Stores{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		topo topology.Topology
		node string
		want string
	}{
		{s.Furnish(topology.Small().Released(topology.Previous, "peer-1")), "peer-1", "docker pull dragonflyoss/dfdaemon:v2.1.67"},
		{s.Furnish(topology.Small().Released(topology.NextMajor, "peer-1")), "peer-1", "no image for peer@next-major"},
		{s.Furnish(topology.Small().Released("v9.9.9", "supernode-1")), "supernode-1", "unknown"},
		{topology.Small(), "peer-1", "no manager"},
		{s.Furnish(topology.Small()), "database-1", "no image for the database"},
		{s.Furnish(topology.Small()), "origin-1", "make images"},
	} {
		n, _ := tc.topo.Node(tc.node)
		_, err := s.Container(tc.topo, n)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "node "+tc.node) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q", tc.node, err, tc.want)
		}
	}
	if _, err := New(images, "v2.2.1", "slow", stores); err == nil {
		t.Error("an unknown profile is accepted")
	}
	if _, err := New(images, "v9.0.0", "fast", stores); err == nil {
		t.Error("an unknown release is accepted")
	}
}

func TestFurnish(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	topo := s.Furnish(topology.Of(2, 1, 1).Released(topology.Previous, "supernode-1"))
	if err := topo.Validate(); err != nil {
		t.Fatal(err)
	}
	names := topology.Names(topo.Of(topology.Manager, topology.Database, topology.Cache))
	if want := []string{"manager-1", "database-1", "cache-1"}; !slices.Equal(names, want) {
		t.Errorf("furnished with %v, want %v", names, want)
	}
	if m, _ := topo.Node("manager-1"); m.Release != topology.Previous {
		t.Errorf("the manager runs %s, want what the first supernode runs", m.Release)
	}
	if again := s.Furnish(topo); len(again.Nodes) != len(topo.Nodes) {
		t.Errorf("furnished twice: %v", topology.Names(again.Nodes))
	}
	own := s.Furnish(topology.Small().With(topology.Node{Name: "db", Role: topology.Database}))
	if got := topology.Names(own.Of(topology.Database)); !slices.Equal(got, []string{"db"}) {
		t.Errorf("databases %v, want the topology's own", got)
	}
	config := container(t, s, own, "manager-1").Files[managerFile]
	if !bytes.Contains(config, []byte("host: db\n")) {
		t.Errorf("the manager is not told of the topology's own database:\n%s", config)
	}
}

// TestPorts: what listens can be reached by whom it serves, and nobody is told of a role
// that no port is for.
func TestPorts(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	for _, role := range []topology.Role{
		topology.Manager, topology.Database, topology.Cache, topology.Supernode, topology.Seed, topology.Peer, topology.Origin,
	} {
		ports := s.Ports(role)
		if len(ports) == 0 {
			t.Errorf("%s has no ports", role)
		}
		for _, p := range ports {
			if p.Protocol == "http" && p.Health == "" {
				t.Errorf("%s port %d has no path that answers", role, p.Number)
			}
			if p.Bulk != "" && !strings.Contains(p.Bulk, "%d") {
				t.Errorf("%s port %d: bulk path %q has no place for a number", role, p.Number, p.Bulk)
			}
		}
	}
	if s.Ports(topology.Peer)[0].Number != GRPCPort || !s.Ports(topology.Peer)[2].Content {
		t.Error("a peer's ports are not 65000 to 65002 with content on the last")
	}
}

func TestLacks(t *testing.T) {
	all := newSystem(t, "v2.2.1", "fast")
	for _, need := range []string{"mesh", "next-major", "large-messages", "stall-target", "weak-previous", "seed-order", "wrong-seed"} {
		if all.Lacks(need) == "" {
			t.Errorf("%s is not lacking", need)
		}
	}
	for _, need := range []string{"previous", "next", "manager", "proxy"} {
		if why := all.Lacks(need); why != "" {
			t.Errorf("%s is lacking: %s", need, why)
		}
	}
	images, _, err := Refs("v2.2.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := New(images, "v2.2.1", "fast", stores)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := bare.Lacks("previous"), "dragonflyoss/dfdaemon:v2.1.67 is not on the engine: docker pull it"; got != want {
		t.Errorf("previous lacks %q, want %q", got, want)
	}
	if got := newSystem(t, "v2.3.0", "fast").Lacks("next"); !strings.Contains(got, "no release next to v2.3.0") {
		t.Errorf("next to the newest lacks %q", got)
	}
}
