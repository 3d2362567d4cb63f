//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"net/netip"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

func invalid(format string, arguments ...any) error {
	return status.Errorf(codes.InvalidArgument, format, arguments...)
}

// Steer lays or replaces a node's steering.
func (s *service) Steer(ctx context.Context, request *agentpb.SteerRequest) (*agentpb.SteerResponse, error) {
	steering := kernel.Steering{Routes: map[netip.AddrPort]netip.AddrPort{}}
	for _, route := range request.GetRoutes() {
		destination, err := netip.ParseAddrPort(route.GetDestination())
		if err != nil {
			return nil, invalid("steer: destination: %v", err)
		}
		listener, err := netip.ParseAddrPort(route.GetListener())
		if err != nil {
			return nil, invalid("steer: listener: %v", err)
		}
		steering.Routes[destination] = listener
	}
	for _, node := range request.GetNodes() {
		address, err := netip.ParseAddr(node)
		if err != nil {
			return nil, invalid("steer: node: %v", err)
		}
		steering.Nodes = append(steering.Nodes, address)
	}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error { return n.Steer(steering) })
	return &agentpb.SteerResponse{}, err
}

// Bypass reads a node's counter of unsteered connections.
func (s *service) Bypass(ctx context.Context, request *agentpb.BypassRequest) (*agentpb.BypassResponse, error) {
	answer := &agentpb.BypassResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) (err error) {
		answer.Packets, err = n.Bypass()
		return err
	})
	return answer, err
}

// AddRules puts an owner's rules in force, all or none.
func (s *service) AddRules(ctx context.Context, request *agentpb.AddRulesRequest) (*agentpb.AddRulesResponse, error) {
	placements := make([]kernel.Placement, 0, len(request.GetRules()))
	for i, wire := range request.GetRules() {
		rule, err := ruleFrom(wire)
		if err != nil {
			return nil, invalid("rule %d: %v", i, err)
		}
		namespace, err := s.nodes.Find(ctx, wire.GetNode())
		if err != nil {
			return nil, refusal(err)
		}
		placements = append(placements, kernel.Placement{Node: wire.GetNode(), Namespace: namespace, Rule: rule})
	}
	if err := s.rulebook.Add(request.GetOwner(), placements); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.AddRulesResponse{}, nil
}

var verdicts = map[agentpb.Verdict]kernel.Verdict{
	agentpb.Verdict_VERDICT_DROP: kernel.Drop, agentpb.Verdict_VERDICT_RESET: kernel.Reset,
	agentpb.Verdict_VERDICT_UNREACHABLE: kernel.Unreach, agentpb.Verdict_VERDICT_TOO_BIG: kernel.TooBig,
	agentpb.Verdict_VERDICT_DUPLICATE: kernel.Duplicate, agentpb.Verdict_VERDICT_CORRUPT: kernel.Corrupt,
}

// ruleFrom converts; what cannot be is found by the rulebook.
func ruleFrom(wire *agentpb.Rule) (rule kernel.Rule, err error) {
	rule = kernel.Rule{
		Leaving: wire.GetLeaving(), LongerThan: int(wire.GetLongerThan()), Verdict: verdicts[wire.GetVerdict()],
		Sample: kernel.Sample{PerMillion: wire.GetPerMillion(), Burst: wire.GetBurst(), Indices: wire.GetIndices()},
	}
	switch wire.GetDirection() {
	case agentpb.Direction_DIRECTION_UPSTREAM:
		rule.Direction = kernel.Upstream
	case agentpb.Direction_DIRECTION_DOWNSTREAM:
		rule.Direction = kernel.Downstream
	}
	if wire.GetCode() > math.MaxUint8 {
		return rule, fmt.Errorf("code %d", wire.GetCode())
	}
	rule.Code = uint8(wire.GetCode())
	if rule.Ports, err = narrow(wire.GetPorts()); err != nil {
		return rule, err
	}
	if rule.UDP, err = narrow(wire.GetUdp()); err != nil {
		return rule, err
	}
	for _, original := range wire.GetOriginals() {
		end, err := netip.ParseAddrPort(original)
		if err != nil {
			return rule, err
		}
		rule.Originals = append(rule.Originals, end)
	}
	for _, peer := range wire.GetPeers() {
		address, err := netip.ParseAddr(peer)
		if err != nil {
			return rule, err
		}
		rule.Peers = append(rule.Peers, address)
	}
	return rule, nil
}

func narrow(wide []uint32) ([]uint16, error) {
	var ports []uint16
	for _, port := range wide {
		if port > math.MaxUint16 {
			return nil, fmt.Errorf("port %d", port)
		}
		ports = append(ports, uint16(port))
	}
	return ports, nil
}

// RemoveRules takes an owner's rules away.
func (s *service) RemoveRules(_ context.Context, request *agentpb.RemoveRulesRequest) (*agentpb.RemoveRulesResponse, error) {
	if err := s.rulebook.Remove(request.GetOwner()); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.RemoveRulesResponse{}, nil
}

// ForgetPaths flushes what nodes have learned of paths.
func (s *service) ForgetPaths(ctx context.Context, request *agentpb.ForgetPathsRequest) (*agentpb.ForgetPathsResponse, error) {
	for _, id := range request.GetNodes() {
		if err := s.on(ctx, id, (*kernel.Namespace).FlushRoutes); err != nil {
			return nil, err
		}
	}
	return &agentpb.ForgetPathsResponse{}, nil
}

// Counters reads what an owner's rules have matched.
func (s *service) Counters(_ context.Context, request *agentpb.CountersRequest) (*agentpb.CountersResponse, error) {
	tallies, err := s.rulebook.Counters(request.GetOwner())
	if err != nil {
		return nil, refusal(err)
	}
	answer := &agentpb.CountersResponse{}
	for _, tally := range tallies {
		answer.Counts = append(answer.Counts, &agentpb.Count{
			Node:    tally.Node,
			Rule:    int32(tally.Rule),
			Packets: tally.Packets,
			Bytes:   tally.Bytes,
			Seen:    tally.Seen,
		})
	}
	return answer, nil
}

// Offload switches offloads off for an owner.
func (s *service) Offload(ctx context.Context, request *agentpb.OffloadRequest) (*agentpb.OffloadResponse, error) {
	var namespaces []*kernel.Namespace
	for _, id := range request.GetNodes() {
		namespace, err := s.nodes.Find(ctx, id)
		if err != nil {
			return nil, refusal(err)
		}
		namespaces = append(namespaces, namespace)
	}
	if err := s.offloads.Disable(request.GetOwner(), namespaces); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.OffloadResponse{}, nil
}

// RestoreOffload ends an owner's wish.
func (s *service) RestoreOffload(_ context.Context, request *agentpb.RestoreOffloadRequest) (*agentpb.RestoreOffloadResponse, error) {
	if err := s.offloads.Restore(request.GetOwner()); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.RestoreOffloadResponse{}, nil
}
