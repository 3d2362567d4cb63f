// Package dragonfly is the real Dragonfly, unmodified images of manager, scheduler and
// dfdaemon, as a system under test.
package dragonfly

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// System is Dragonfly at one release, with one profile of timers.
type System struct {
	images  map[string]string // "peer@stable" -> ref
	version string            // of stable
	profile profile
	stores  Stores
	watches watches
}

// Store is how a database or a cache is run.
type Store struct {
	Image string
	Cmd   []string // the whole program
	Env   map[string]string
}

// Stores are where a manager keeps what it knows: MySQL or MariaDB, and Redis.
type Stores struct{ Database, Cache Store }

var (
	_ system.System  = (*System)(nil)
	_ system.Warming = (*System)(nil)
	_ system.Witness = (*System)(nil)
)

// New returns Dragonfly made of these images: those of Refs that are on the engine, and
// "origin".
func New(images map[string]string, release, profile string, stores Stores) (*System, error) {
	version := canonical(release)
	if _, err := like(version); err != nil {
		return nil, err
	}
	timers, err := profileNamed(profile)
	if err != nil {
		return nil, err
	}
	return &System{images: maps.Clone(images), version: version, profile: timers, stores: stores}, nil
}

// Name implements system.System.
func (s *System) Name() string { return "dragonfly" }

// Warming implements system.Warming: a seed is counted by a scheduler before the
// scheduler may send it anything.
func (s *System) Warming() bool { return true }

// lacks are the needs of scenarios that no Dragonfly meets, and why.
var lacks = map[string]string{
	"mesh":           "Dragonfly peers connect to each other only while they download",
	"doctor":         "Dragonfly has no command that looks for what is wrong with a peer",
	"releases":       "scenarios that name releases name those of the reference swarm",
	"next-major":     "there is no next major release of Dragonfly's Go daemon",
	"seed-order":     "which of two Dragonfly seeds comes first is not configured: the scheduler hashes the task",
	"large-messages": "what Dragonfly's peers and schedulers tell each other fits into small packets",
	"stall-target":   "Dragonfly logs an answer that stalls in its body without an address",
	"patience":       "whether a Dragonfly peer whose piece timed out keeps to its other parent or is sent to the origin is a race",
	"weak-previous":  "the releases of Dragonfly before this one try again as it does",
	"long-answers":   "few of Dragonfly's ports give answers long enough to show every fault: the catalogue is proven on the reference swarm",
	"goroutines":     "Dragonfly nodes do not tell how many goroutines they run, unless their metrics are on",
	"paced-retry":    "a Dragonfly peer tries to announce itself every 30 s, whatever happens",
	"leases":         "a Dragonfly scheduler keeps a peer that was killed or cut off (seen for 79 s): no lease takes it out",
	"preheat":        "Dragonfly is preheated through its manager's jobs, not on a seed",
	"causes":         "Dragonfly logs gRPC's words for a failed connection: what each cause is called there is asked by the scenarios about ports",
	"several-places": "not tried: a Dragonfly peer announces itself to each scheduler every 30 s, and how soon it follows a name or a scheduler that is back is not measured",
	"resume":         "what a Dragonfly peer keeps of a download that its restart breaks off is not measured",
	"quota":          "a Dragonfly peer collects its garbage by the share of its disk that is used, now and then, not by a quota",
	"origin-errors":  "what a Dragonfly peer says of an origin that misbehaves is not measured",
	"wrong-seed":     "Dragonfly seeds register themselves: nobody configures their addresses",
}

// Lacks implements system.System.
func (s *System) Lacks(need string) string {
	if need != topology.Previous && need != topology.Next {
		return lacks[need]
	}
	_, optional, err := Refs(s.version, nil)
	if err != nil || optional["peer@"+need] == "" {
		return fmt.Sprintf("no release %s to %s is known: known are %s", need, s.version, known())
	}
	for _, role := range []string{"peer", "seed", "scheduler", "manager"} {
		if key := role + "@" + need; s.images[key] == "" {
			return fmt.Sprintf("%s is not on the engine: docker pull it", optional[key])
		}
	}
	return ""
}

// Release implements system.System.
func (s *System) Release(named string) string {
	previous, next := neighbours(s.version)
	switch named {
	case topology.Stable:
		return s.version
	case topology.Previous:
		return cmp.Or(previous, named)
	case topology.Next:
		return cmp.Or(next, named)
	}
	return named
}

// release is what is known of the release that a node runs.
func (s *System) release(n topology.Node) (release, error) {
	r, err := like(canonical(s.Release(cmp.Or(n.Release, topology.Stable))))
	if err != nil {
		return release{}, fmt.Errorf("node %s: %w", n.Name, err)
	}
	return r, nil
}

// image is what plays a role at a release of a topology.
func (s *System) image(n topology.Node, program string) (string, error) {
	named := cmp.Or(n.Release, topology.Stable)
	if ref := s.images[program+"@"+named]; ref != "" {
		return ref, nil
	}
	if version := canonical(named); semver.IsValid(version) {
		return programs[program] + ":" + version, nil
	}
	return "", fmt.Errorf("node %s: no image for %s@%s: docker pull %s:%s, or name a release that is there",
		n.Name, program, named, programs[program], s.Release(named))
}

// Furnish implements system.System: each bed has a manager of its own, with database and
// cache. A manager shared by beds would show each bed's daemons the others' schedulers,
// and could not be faulted by one.
func (s *System) Furnish(t topology.Topology) topology.Topology {
	for _, role := range []topology.Role{topology.Manager, topology.Database, topology.Cache} {
		if len(t.Of(role)) > 0 {
			continue
		}
		n := topology.Node{Name: string(role) + "-1", Role: role}
		if supernodes := t.Of(topology.Supernode); role == topology.Manager && len(supernodes) > 0 {
			n.Release, n.IDC, n.Location = supernodes[0].Release, supernodes[0].IDC, supernodes[0].Location
		}
		t = t.With(n)
	}
	return t
}

// first is the name of the first node of a role.
func first(t topology.Topology, role topology.Role) (string, error) {
	nodes := t.Of(role)
	if len(nodes) == 0 {
		return "", fmt.Errorf("topology has no %s: furnish it first", strings.ToLower(string(role)))
	}
	return nodes[0].Name, nil
}
