package agent

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Steer installs a node's steering, or replaces it atomically. The bypass
// counter goes on counting.
func (c *Client) Steer(ctx context.Context, node string, s Steering) error {
	request := &agentpb.SteerRequest{Node: node}
	for destination, listener := range s.Routes {
		request.Routes = append(request.Routes, &agentpb.Route{Destination: destination.String(), Listener: listener.String()})
	}
	for _, address := range s.Nodes {
		request.Nodes = append(request.Nodes, address.String())
	}
	_, err := c.agent.Steer(ctx, request)
	return translate(err)
}

// OpenGate lets a node's real program start. It goes on trying until the gate
// answers or ctx ends; a gate that is open already is no error.
func (c *Client) OpenGate(ctx context.Context, node string) error {
	_, err := c.agent.OpenGate(ctx, &agentpb.OpenGateRequest{Node: node})
	return translate(err)
}

// Bypass counts the packets that opened a TCP connection from node to another
// node without being steered. Anything but 0 makes a run inconclusive.
func (c *Client) Bypass(ctx context.Context, node string) (packets uint64, err error) {
	answer, err := c.agent.Bypass(ctx, &agentpb.BypassRequest{Node: node})
	return answer.GetPackets(), translate(err)
}

// AddRules puts rules in force, all or none. The owner ([a-z0-9-], up to 64) is
// the handle to count and remove them; one that has rules already is refused
// with ErrExists.
func (c *Client) AddRules(ctx context.Context, owner string, rules []Rule) error {
	request := &agentpb.AddRulesRequest{Owner: owner}
	for _, rule := range rules {
		request.Rules = append(request.Rules, rule.wire())
	}
	_, err := c.agent.AddRules(ctx, request)
	return translate(err)
}

func (r Rule) wire() *agentpb.Rule {
	return &agentpb.Rule{
		Node:       r.Node,
		Direction:  agentpb.Direction(r.Direction),
		Leaving:    r.Leaving,
		Ports:      widen(r.Ports),
		Originals:  words(r.Originals),
		Peers:      words(r.Peers),
		Udp:        widen(r.UDP),
		LongerThan: int32(r.LongerThan),
		PerMillion: r.Sample.PerMillion,
		Burst:      r.Sample.Burst,
		Indices:    r.Sample.Indices,
		Verdict:    agentpb.Verdict(r.Verdict),
		Code:       uint32(r.Code),
	}
}

func widen(ports []uint16) []uint32 {
	wide := make([]uint32, len(ports))
	for i, port := range ports {
		wide[i] = uint32(port)
	}
	return wide
}

func words[S fmt.Stringer](addresses []S) []string {
	all := make([]string, len(addresses))
	for i, address := range addresses {
		all[i] = address.String()
	}
	return all
}

// RemoveRules takes away exactly what AddRules added for the owner. Twice is
// harmless, and so is a node that is gone.
func (c *Client) RemoveRules(ctx context.Context, owner string) error {
	_, err := c.agent.RemoveRules(ctx, &agentpb.RemoveRulesRequest{Owner: owner})
	return translate(err)
}

// ForgetPaths makes nodes forget what their kernels have learned of the paths to others,
// above all how long packets may be.
func (c *Client) ForgetPaths(ctx context.Context, nodes []string) error {
	_, err := c.agent.ForgetPaths(ctx, &agentpb.ForgetPathsRequest{Nodes: nodes})
	return translate(err)
}

// Counters says what each of the owner's rules has matched so far. Rules in a
// namespace that is gone are left out.
func (c *Client) Counters(ctx context.Context, owner string) ([]Count, error) {
	answer, err := c.agent.Counters(ctx, &agentpb.CountersRequest{Owner: owner})
	if err != nil {
		return nil, translate(err)
	}
	counts := make([]Count, 0, len(answer.GetCounts()))
	for _, count := range answer.GetCounts() {
		counts = append(counts, Count{
			Node:    count.GetNode(),
			Rule:    int(count.GetRule()),
			Packets: count.GetPackets(),
			Bytes:   count.GetBytes(),
			Seen:    count.GetSeen(),
		})
	}
	return counts, nil
}
