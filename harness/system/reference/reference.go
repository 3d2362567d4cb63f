// Package reference is our own swarm, built from images/, as a system under test.
package reference

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/source"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// Ports of the reference swarm, as in a real deployment.
const (
	SupernodePort = 8002  // register, announce
	GRPCPort      = 65000 // called back by the supernode, pieces lists for children
	ProxyPort     = 65001 // HTTP proxy for files; operators check connectivity here
	UploadPort    = 65002 // pieces
	StatusPort    = 65003 // metrics and health of a peer
	metricsPort   = 8003  // of a supernode
	originPort    = 80
)

// System is the reference swarm with one set of timers.
type System struct {
	images map[string]string // "peer@2.2.1" -> ref
	timers timers.Profile
}

// New returns the reference swarm made of these images, with the timers of a profile.
func New(images map[string]string, profile string) (*System, error) {
	p, err := timers.ByName(profile)
	if err != nil {
		return nil, err
	}
	return &System{images, p}, nil
}

// releases are what the names of a topology mean: see images/swarm/release.go.
var releases = map[string]string{
	topology.Stable: Stable, topology.Previous: "2.1.0", topology.Next: "2.3.0", topology.NextMajor: "3.0.0",
}

// Stable is the release under test unless an image is given.
const Stable = "2.2.1"

// lacks are the needs of scenarios that this swarm does not meet, and why.
var lacks = map[string]string{
	"manager": "the reference swarm has no manager: supernodes know their seeds from their configuration",
	"no-mesh": "the reference swarm says more of a closed port than a file does: it is asked who is out, and who is a leecher",
}

// Name implements system.System.
func (s *System) Name() string { return "reference" }

// Lacks implements system.System.
func (s *System) Lacks(need string) string { return lacks[need] }

// Furnish implements system.System: nothing else is needed.
func (s *System) Furnish(t topology.Topology) topology.Topology { return t }

// Release implements system.System.
func (s *System) Release(named string) string { return cmp.Or(releases[named], named) }

// Speak implements system.Versioned: both sides must accept the other's protocol.
func (s *System) Speak(one, other string) bool {
	a, errA := swarm.CapabilitiesOf(s.Release(one))
	b, errB := swarm.CapabilitiesOf(s.Release(other))
	if errA != nil || errB != nil {
		return true // an image under test that is named as no release of ours
	}
	return swarm.CheckProtocol("one", a, "other", b.Release, b.Protocol) == nil &&
		swarm.CheckProtocol("other", b, "one", a.Release, a.Protocol) == nil
}

// Explains implements system.Versioned.
func (s *System) Explains(release string) bool {
	can, err := swarm.CapabilitiesOf(s.Release(release))
	return err != nil || can.DiagnosticLog
}

// Ports implements system.System.
func (s *System) Ports(role topology.Role) []system.Port {
	const bulk = "/probe?bytes=%d"
	switch role {
	case topology.Supernode:
		return []system.Port{{Number: SupernodePort, Name: "supernode", Protocol: "grpc"}}
	case topology.Seed, topology.Peer:
		return []system.Port{
			{Number: GRPCPort, Name: "grpc", Protocol: "grpc"},
			{Number: ProxyPort, Name: "proxy", Protocol: "http", Health: "/healthy", Content: true},
			{Number: UploadPort, Name: "upload", Protocol: "http", Health: "/healthy", Bulk: bulk, Content: true},
			{Number: StatusPort, Name: "status", Protocol: "http", Health: "/healthy", Bulk: bulk},
		}
	case topology.Origin:
		return []system.Port{{Number: originPort, Name: "origin", Protocol: "http", Health: "/healthy", Bulk: bulk, Content: true}}
	}
	return nil
}

// Container implements system.System.
func (s *System) Container(t topology.Topology, n topology.Node) (system.Container, error) {
	key, cmd, store := string(n.Role), []string(nil), ""
	where := []string{"--hostname", cmp.Or(n.Stated, n.Name), "--idc", n.IDC, "--location", n.Location, "--profile", s.timers.Name}
	switch n.Role {
	case topology.Supernode:
		key += "@" + s.Release(n.Release)
		cmd = where
		seeds := t.SeedAddresses
		if seeds == nil {
			for _, seed := range t.Of(topology.Seed) {
				seeds = append(seeds, fmt.Sprintf("%s:%d", seed.Name, GRPCPort))
			}
		}
		for _, seed := range seeds {
			cmd = append(cmd, "--seed-peer", seed)
		}
	case topology.Seed, topology.Peer:
		key = "peer@" + s.Release(n.Release)
		cmd = append([]string{"daemon"}, where...)
		store = "/var/lib/swarm" // --data-dir
		if n.Role == topology.Seed {
			cmd = append(cmd, "--seed")
		}
		if n.Quota > 0 {
			cmd = append(cmd, "--quota", fmt.Sprint(n.Quota))
		}
		for _, supernode := range t.Of(topology.Supernode) {
			cmd = append(cmd, "--supernode", fmt.Sprintf("%s:%d", supernode.Name, SupernodePort))
		}
	case topology.Origin:
		cmd = []string{"--rate", fmt.Sprint(t.OriginRate)}
	}
	image, ok := s.images[key]
	if !ok {
		return system.Container{}, fmt.Errorf("node %s: no image for %s: build one under images/, or name a release that is built", n.Name, key)
	}
	return system.Container{Image: image, Cmd: cmd, Store: store}, nil
}

// Members implements system.System.
func (s *System) Members(ctx context.Context, in system.Inside, supernode topology.Node) ([]system.Member, error) {
	var answer struct {
		Count int `json:"count"`
		Peers []struct {
			Name, Release, Type, State string
			Reachable                  bool
		} `json:"peers"`
	}
	if err := system.JSON(ctx, in, supernode.Name, fmt.Sprintf("http://127.0.0.1:%d/peers", metricsPort), &answer); err != nil {
		return nil, err
	}
	var members []system.Member
	for _, p := range answer.Peers {
		if p.State == "active" {
			members = append(members, system.Member{Name: p.Name, Release: p.Release, Seed: p.Type == "seed", Reachable: p.Reachable})
		}
	}
	if len(members) != answer.Count {
		return nil, fmt.Errorf("%s says it counts %d peers and lists %d active ones", supernode.Name, answer.Count, len(members))
	}
	return members, nil
}

// Status implements system.System.
func (s *System) Status(ctx context.Context, in system.Inside, peer topology.Node) (system.Status, error) {
	var answer struct {
		Registered bool     `json:"registered"`
		Peers      []string `json:"peers"`
		PeerCount  int      `json:"peer_count"`
	}
	err := system.JSON(ctx, in, peer.Name, fmt.Sprintf("http://127.0.0.1:%d/status", StatusPort), &answer)
	if err == nil && answer.PeerCount != len(answer.Peers) {
		err = fmt.Errorf("%s says that its peer count is %d and lists %d that answer", peer.Name, answer.PeerCount, len(answer.Peers))
	}
	return system.Status{Registered: answer.Registered, Peers: answer.Peers}, err
}

// Stacks implements system.Profiled.
func (s *System) Stacks(n topology.Node) string {
	port := map[topology.Role]int{topology.Supernode: metricsPort, topology.Seed: StatusPort, topology.Peer: StatusPort}[n.Role]
	if port == 0 {
		return ""
	}
	return fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/goroutine?debug=2", port)
}

// Download implements system.System.
func (s *System) Download(url, path, sha256 string, timeout time.Duration) []string {
	return []string{"/peer", "dfget", url, "-O", path, "--digest", "sha256:" + sha256, "--timeout", timeout.String(), "--json"}
}

// Preheat implements system.Preheating.
func (s *System) Preheat(url, sha256 string) []string {
	return []string{"/peer", "preheat", url, "--digest", "sha256:" + sha256}
}

// Part implements system.Parting.
func (s *System) Part(url, path string, offset, length int64, timeout time.Duration) []string {
	return []string{"/peer", "dfget", url, "-O", path, "--range", fmt.Sprintf("%d-%d", offset, offset+length-1), "--timeout", timeout.String(), "--json"}
}

// Claim implements system.System.
func (s *System) Claim(stdout []byte) (system.Claim, error) {
	lines := bytes.Split(bytes.TrimSpace(stdout), []byte("\n"))
	var answer struct {
		OK   bool `json:"ok"`
		From struct {
			Origin, Seeds, Peers int64
		} `json:"from"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &answer); err != nil {
		return system.Claim{}, fmt.Errorf("dfget printed %q instead of its result: %w", strings.TrimSpace(string(stdout)), err)
	}
	return system.Claim{OK: answer.OK, From: history.From(answer.From), Error: answer.Error}, nil
}

// Diagnoses implements system.System: lines of JSON whose message is "connection failed".
func (s *System) Diagnoses(_ topology.Node, log []byte) []system.Diagnosis {
	var found []system.Diagnosis
	for line := range bytes.Lines(log) {
		var entry struct {
			Time time.Time `json:"time"`
			Msg  string    `json:"msg"`
			system.Diagnosis
		}
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "connection failed" {
			entry.At = entry.Time
			found = append(found, entry.Diagnosis)
		}
	}
	return found
}

// Bounds implements system.System. The largest file of scenarios has 64 MiB; two busy cores move it at
// some 10 MiB/s at worst.
func (s *System) Bounds() system.Bounds {
	return system.Bounds{
		Ready:    s.timers.RejoinWithin() + s.timers.NoticeWithin(),
		Notice:   s.timers.NoticeWithin(),
		Drop:     s.timers.DropWithin(),
		Fallback: s.timers.FallbackWithin(),
		Forgive:  s.timers.FailureAgeOut + s.timers.NoticeWithin(),
		Rejoin:   s.timers.RejoinWithin(),
		Download: 30*time.Second + 3*s.timers.FallbackWithin(),

		// The jitter of the backoff is half of a pause, up and down.
		RetryPauseLeast: s.timers.RetryMax / 2, RetryPauseMost: s.timers.RetryMax*3/2 + timers.Slack,

		OriginPeers: 1, OriginSpan: source.Span, OriginRequest: 128,
	}
}
