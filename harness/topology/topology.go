// Package topology says which roles run, how many, which release each runs, and
// where: pure data, no containers. It imports nothing of ours.
//
//	t := topology.Small().Released(topology.Previous, "peer-1").Located("b", "peer-3")
package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Role is what a node does in the swarm.
type Role string

// The roles. An origin is not part of the swarm: it is where files come from. The last
// three are there for systems whose supernodes need them.
const (
	Supernode Role = "supernode"
	Seed      Role = "seed"
	Peer      Role = "peer"
	Origin    Role = "origin"
	Manager   Role = "manager"
	Database  Role = "database"
	Cache     Role = "cache"
)

var roles = []Role{Supernode, Seed, Peer, Origin, Manager, Database, Cache}

// Releases as scenarios name them; which they are, the system under test says. Any
// other name is a release of that system.
const (
	Stable    = "stable"     // what is under test, and what a node runs unless told otherwise
	Previous  = "previous"   // the release before it that is still out there
	Next      = "next"       // the release after it
	NextMajor = "next-major" // the first that breaks with it
)

// Node is one container to be.
type Node struct {
	Name string
	Role Role
	// Stated is the name that it goes by in the swarm, if not Name.
	Stated   string
	Release  string
	IDC      string
	Location string
	// Descriptors is how many file descriptors its processes may have, hard and soft; 0 is
	// what the engine gives.
	Descriptors int
	// Disk is the size of a disk of its own for the pieces that it keeps, in bytes, made of
	// memory; 0 is the container's file system.
	Disk int64
	// Quota is how many bytes of pieces it may hold, by its own configuration; 0 is no limit.
	Quota int64
}

// Topology is a deployment to be. The zero value is not valid; start from Of or Small.
type Topology struct {
	Nodes []Node
	// SeedAddresses is what the supernodes are told, primary first; empty means the
	// seeds of Nodes in their order. It is where a wrong configuration is put.
	SeedAddresses []string
	// OriginRate limits what the origin serves, in bytes per second; 0 is no limit.
	OriginRate int64
}

// MaxNodes is how many nodes fit on one bed: every client has a listener of its own for
// each of the four ports of every other node, and all listeners share one address.
const MaxNodes = 100

// Of returns a topology with that many supernodes, seeds and peers, and one origin.
func Of(supernodes, seeds, peers int) Topology {
	var t Topology
	for _, group := range []struct {
		role Role
		n    int
	}{{Supernode, supernodes}, {Seed, seeds}, {Peer, peers}} {
		for i := range group.n {
			t.Nodes = append(t.Nodes, Node{
				Name: fmt.Sprintf("%s-%d", group.role, i+1), Role: group.role, Release: Stable,
				IDC: "a", Location: "earth|a",
			})
		}
	}
	t.Nodes = append(t.Nodes, Node{Name: "origin-1", Role: Origin})
	return t
}

// Small is one supernode, a primary and a backup seed, and three peers: the smallest
// swarm in which every promise of discovery, fallback and sharing can be broken.
func Small() Topology { return Of(1, 2, 3) }

// Tiny is one supernode, one seed and two peers: enough for promises that need neither a
// second seed nor a third peer. A container less is a tenth of a bed's cost.
func Tiny() Topology { return Of(1, 1, 2) }

// New returns a topology of one supernode and nodes clients, of which seeds are
// seeds; it refuses numbers that cannot be.
func New(nodes, seeds int) (Topology, error) {
	switch {
	case nodes < 0 || seeds < 0:
		return Topology{}, fmt.Errorf("%d nodes with %d seeds: counts cannot be negative", nodes, seeds)
	case seeds > nodes:
		return Topology{}, fmt.Errorf("%d seeds among %d nodes: use at most as many seeds as nodes", seeds, nodes)
	}
	t := Of(1, seeds, nodes-seeds)
	return t, t.Validate()
}

// Released returns t with those nodes, or all when none is named, running release.
func (t Topology) Released(release string, names ...string) Topology {
	return t.edit(names, func(n *Node) { n.Release = release })
}

// Called returns t with those nodes going by that name in the swarm: of two that do, one is
// the other at another address.
func (t Topology) Called(name string, nodes ...string) Topology {
	return t.edit(nodes, func(n *Node) { n.Stated = name })
}

// Located returns t with those nodes, or all when none is named, in that idc.
func (t Topology) Located(idc string, names ...string) Topology {
	return t.edit(names, func(n *Node) { n.IDC, n.Location = idc, "earth|"+idc })
}

// Descriptors returns t with those nodes, or all when none is named, started with no more
// than n file descriptors for each process.
func (t Topology) Descriptors(n int, names ...string) Topology {
	return t.edit(names, func(node *Node) { node.Descriptors = n })
}

// Disk returns t with those nodes, or all when none is named, keeping pieces on a disk of
// their own of so many bytes.
func (t Topology) Disk(bytes int64, names ...string) Topology {
	return t.edit(names, func(node *Node) { node.Disk = bytes })
}

// Quota returns t with those nodes, or all when none is named, told to hold no more than
// so many bytes of pieces.
func (t Topology) Quota(bytes int64, names ...string) Topology {
	return t.edit(names, func(node *Node) { node.Quota = bytes })
}

// SeededBy returns t with the supernodes told these seed addresses, primary first.
func (t Topology) SeededBy(addresses ...string) Topology {
	t.SeedAddresses = addresses
	return t
}

// OriginLimited returns t with an origin that serves bytesPerSecond at most.
func (t Topology) OriginLimited(bytesPerSecond int64) Topology {
	t.OriginRate = bytesPerSecond
	return t
}

// With returns t with more nodes.
func (t Topology) With(nodes ...Node) Topology {
	t.Nodes = append(slices.Clone(t.Nodes), nodes...)
	return t
}

func (t Topology) edit(names []string, change func(*Node)) Topology {
	t.Nodes = slices.Clone(t.Nodes)
	for i := range t.Nodes {
		if n := &t.Nodes[i]; n.Role != Origin && (len(names) == 0 || slices.Contains(names, n.Name)) {
			change(n)
		}
	}
	return t
}

// Of returns the nodes of these roles, in order.
func (t Topology) Of(roles ...Role) []Node {
	var nodes []Node
	for _, n := range t.Nodes {
		if slices.Contains(roles, n.Role) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Node returns the node of that name.
func (t Topology) Node(name string) (Node, bool) {
	i := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		return Node{}, false
	}
	return t.Nodes[i], true
}

// Names returns the names of nodes, in order.
func Names(nodes []Node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names
}

// Validate says why t cannot be deployed; nil means that it can.
func (t Topology) Validate() error {
	seen := map[string]bool{}
	count := map[Role]int{}
	var errs []error
	for i, n := range t.Nodes {
		count[n.Role]++
		switch {
		case n.Name == "" || strings.ContainsAny(n.Name, " >:/"):
			errs = append(errs, fmt.Errorf("node %d: name %q: use letters, digits and dashes", i+1, n.Name))
		case seen[n.Name]:
			errs = append(errs, fmt.Errorf("node %d: second node named %s", i+1, n.Name))
		case !slices.Contains(roles, n.Role):
			errs = append(errs, fmt.Errorf("node %s: unknown role %q", n.Name, n.Role))
		}
		seen[n.Name] = true
	}
	if count[Supernode] < 1 {
		errs = append(errs, errors.New("no supernode: a swarm needs at least one"))
	}
	if count[Origin] != 1 {
		errs = append(errs, fmt.Errorf("%d origins: a bed has exactly one", count[Origin]))
	}
	if len(t.Nodes) > MaxNodes {
		errs = append(errs, fmt.Errorf("%d nodes: at most %d fit on the network of a bed", len(t.Nodes), MaxNodes))
	}
	if t.OriginRate < 0 {
		errs = append(errs, fmt.Errorf("origin rate %d: cannot be negative", t.OriginRate))
	}
	return errors.Join(errs...)
}
