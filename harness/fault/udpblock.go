package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
)

// UDPBlock drops datagrams between the nodes of some links, to UDP ports of the servers
// and back: QUIC, or DNS of a server that is a node. (A container's own resolver is
// reached without a network: see DNSFail.)
type UDPBlock struct {
	Links Links // whose clients and servers; their TCP ports do not matter
	Ports []int // UDP
}

// Kind implements Fault.
func (u UDPBlock) Kind() string { return "udp-block" }

// Target implements Fault.
func (u UDPBlock) Target() string { return fmt.Sprintf("%s udp %s", u.Links, portsInWords(u.Ports)) }

// Plan implements Fault.
func (u UDPBlock) Plan(t Target, id string) (Plan, error) {
	if len(u.Ports) == 0 {
		return Plan{}, errors.New("no UDP port given")
	}
	ports := make([]uint16, len(u.Ports))
	for i, p := range u.Ports {
		if p < 1 || p > 65535 {
			return Plan{}, fmt.Errorf("port %d: use 1 to 65535", p)
		}
		ports[i] = uint16(p)
	}
	edges, err := selected(t, u.Links)
	if err != nil {
		return Plan{}, err
	}
	pairs := map[Edge]bool{} // without TCP ports
	from, to := map[string][]string{}, map[string][]string{}
	for _, e := range edges {
		pair := Edge{Client: e.Client, Server: e.Server}
		if !pairs[pair] {
			pairs[pair] = true
			from[e.Server], to[e.Client] = append(from[e.Server], e.Client), append(to[e.Client], e.Server)
		}
	}
	var rules []agent.Rule
	add := func(direction agent.Direction, at string, others []string) {
		rule := agent.Rule{Node: t.Container(at), Direction: direction, UDP: ports, Verdict: agent.Drop}
		for _, other := range others {
			rule.Peers = append(rule.Peers, t.Address(other))
		}
		rules = append(rules, rule)
	}
	for _, server := range slices.Sorted(maps.Keys(from)) {
		add(agent.Upstream, server, from[server])
	}
	for _, client := range slices.Sorted(maps.Keys(to)) {
		add(agent.Downstream, client, to[client])
	}
	plan := Plan{
		Mechanism: "nftables drop",
		Apply:     func(ctx context.Context) (Undo, error) { return addRules(ctx, t, id, rules) },
		Bites:     silent,
		Counters:  count(t, id, rules), Proven: somePackets,
		Asks: []Ask{{UDP: u.Ports[0]}},
	}
	spared := map[Edge]bool{}
	for _, e := range t.Edges() {
		if pair := (Edge{Client: e.Client, Server: e.Server}); !pairs[pair] {
			spared[pair] = true
		}
	}
	for pair := range pairs {
		plan.Lives = append(plan.Lives, pair.Client, pair.Server)
		pair.Port = u.Ports[0]
		plan.Edges = append(plan.Edges, pair)
		plan.Affected = append(plan.Affected, pair)
	}
	slices.SortFunc(plan.Edges, byName)
	for _, pair := range sample(slices.SortedFunc(maps.Keys(spared), byName), controlAtMost) {
		plan.Beside = append(plan.Beside, Look{Edge: Edge{Client: pair.Client, Server: pair.Server, Port: u.Ports[0]}, Ask: plan.Asks[0]})
	}
	// TCP between the same two goes on.
	for _, e := range sample(edges, stillAtMost) {
		plan.Still = append(plan.Still, Look{Edge: e})
	}
	return plan, nil
}
