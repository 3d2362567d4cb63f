package explore

import (
	"math/rand/v2"
	"slices"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
)

// Ports of the reference swarm that something passes over, as scenarios name them.
const (
	supernodePort = reference.SupernodePort
	grpcPort      = reference.GRPCPort
	proxyPort     = reference.ProxyPort
	uploadPort    = reference.UploadPort
	originPort    = 80
)

// ways are those that a swarm goes by: whose fault somebody may notice.
var ways = []struct {
	from, to topology.Role
	ports    []int
}{
	{topology.Peer, topology.Supernode, []int{supernodePort}},       // register, announce
	{topology.Seed, topology.Supernode, []int{supernodePort}},       // the same
	{topology.Supernode, topology.Peer, []int{grpcPort, proxyPort}}, // calls back
	{topology.Supernode, topology.Seed, []int{grpcPort, proxyPort}}, // the same, and triggers
	{topology.Peer, topology.Seed, []int{grpcPort, uploadPort}},     // lists of pieces, pieces
	{topology.Peer, topology.Peer, []int{grpcPort, uploadPort}},     // the same
	{topology.Peer, topology.Seed, []int{uploadPort}},               // pieces alone
	{topology.Peer, topology.Origin, []int{originPort}},             // back to source
	{topology.Seed, topology.Origin, []int{originPort}},             // what seeds are for
}

// edges are all links of a bed, as the harness draws them.
func edges(t topology.Topology) []fault.Edge {
	var all []fault.Edge
	var swarm reference.System
	for _, server := range t.Nodes {
		for _, port := range swarm.Ports(server.Role) {
			for _, client := range t.Nodes {
				if client.Name != server.Name && client.Role != topology.Origin {
					all = append(all, fault.Edge{Client: client.Name, Server: server.Name, Port: port.Number})
				}
			}
		}
	}
	return all
}

// aim draws what a kind of fault is on; false if this topology has nothing for it.
func (k kind) aim(r *rand.Rand, t topology.Topology) (Aim, bool) {
	switch k.on {
	case onLinks:
		return k.aimAtLinks(r, t)
	case onNodes:
		return Aim{Servers: some(r, t.Of(pick(r, topology.Seed, topology.Seed, topology.Seed, topology.Peer, topology.Peer, topology.Supernode)))}, true
	case onNames:
		who := pick(r, topology.Peer, topology.Peer, topology.Seed)
		return Aim{Clients: some(r, t.Of(who)), Servers: topology.Names(t.Of(pick(r, topology.Supernode, topology.Supernode, topology.Origin)))}, true
	default:
		return aimAtSets(r, t), true
	}
}

// shownOn keeps the ports that can show a kind of fault.
func (k kind) shownOn(ports []int) []int {
	return slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return k.ports != nil && !slices.Contains(k.ports, p) })
}

func (k kind) aimAtLinks(r *rand.Rand, t topology.Topology) (Aim, bool) {
	way := pick(r, ways...)
	ports := k.shownOn(way.ports)
	clients := some(r, t.Of(way.from))
	servers := some(r, t.Of(way.to))
	if len(clients) == 1 { // nobody has a link to itself
		servers = slices.DeleteFunc(servers, func(name string) bool { return name == clients[0] })
	}
	if len(ports) == 0 || len(servers) == 0 {
		return Aim{}, false
	}
	return Aim{Clients: clients, Servers: servers, Ports: ports}, true
}

// aimAtSets draws a cut: between places, if there are two, or between peers and others.
func aimAtSets(r *rand.Rand, t topology.Topology) Aim {
	near := t.Of(topology.Supernode, topology.Seed, topology.Peer)
	far := slices.DeleteFunc(slices.Clone(near), func(n topology.Node) bool { return n.IDC != elsewhere })
	if len(far) > 0 && r.IntN(2) == 0 {
		near = slices.DeleteFunc(near, func(n topology.Node) bool { return n.IDC == elsewhere })
		return Aim{Clients: topology.Names(far), Servers: topology.Names(near)}
	}
	others := pick(r, t.Of(topology.Seed), t.Of(topology.Supernode), t.Of(topology.Supernode, topology.Seed))
	return Aim{Clients: some(r, t.Of(topology.Peer)), Servers: topology.Names(others)}
}

// some draws one of nodes, or all.
func some(r *rand.Rand, nodes []topology.Node) []string {
	if r.IntN(3) == 0 {
		return topology.Names(nodes)
	}
	return []string{nodes[r.IntN(len(nodes))].Name}
}

// on finds the nodes of an aim in a topology.
func (a Aim) on(t topology.Topology) sight {
	nodes := func(names []string) []topology.Node {
		var found []topology.Node
		for _, n := range t.Nodes {
			if slices.Contains(names, n.Name) {
				found = append(found, n)
			}
		}
		return found
	}
	s := sight{clients: nodes(a.Clients), servers: nodes(a.Servers)}
	if len(a.Clients) > 0 {
		s.links = fault.From(s.clients...).To(s.servers...).Port(a.Ports...)
	}
	return s
}

// touches are the links that a fault may change.
func (f Fault) touches(t topology.Topology) []fault.Edge {
	at := f.Aim.on(t)
	switch kindOf(f.Kind).on {
	case onLinks:
		return at.links.In(edges(t))
	case onNodes:
		return fault.Around(at.servers...).In(edges(t))
	case onSets:
		return fault.Between(at.clients, at.servers).In(edges(t))
	default:
		return nil
	}
}
