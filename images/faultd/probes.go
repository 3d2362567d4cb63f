//go:build linux

package main

import (
	"context"
	"net/netip"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// probesAtOnce bounds the threads that probes take while they dial.
const probesAtOnce = 128

// Probe runs probes in parallel. One that cannot be started, for its node is
// gone, is a result like others.
func (s *service) Probe(ctx context.Context, request *agentpb.ProbeRequest) (*agentpb.ProbeResponse, error) {
	targets := make([]netip.AddrPort, len(request.GetProbes()))
	for i, wire := range request.GetProbes() {
		target, err := netip.ParseAddrPort(wire.GetTarget())
		if err != nil {
			return nil, invalid("probe %d: target: %v", i, err)
		}
		targets[i] = target
	}
	answer := &agentpb.ProbeResponse{Results: make([]*agentpb.ProbeResult, len(targets))}
	var group errgroup.Group
	group.SetLimit(probesAtOnce)
	for i, wire := range request.GetProbes() {
		group.Go(func() error {
			answer.Results[i] = s.probe(ctx, wire, targets[i])
			return nil
		})
	}
	return answer, group.Wait()
}

func (s *service) probe(ctx context.Context, wire *agentpb.ProbeSpec, target netip.AddrPort) *agentpb.ProbeResult {
	namespace, err := s.nodes.Find(ctx, wire.GetNode())
	if err != nil {
		return &agentpb.ProbeResult{Outcome: string(kernel.Failed), Detail: err.Error()}
	}
	result := namespace.Probe(ctx, kernel.Probe{
		Target:   target,
		Protocol: wire.GetProtocol(),
		Path:     wire.GetPath(),
		Pad:      int(wire.GetPad()),
		Bulk:     wire.GetBulk(),
		Timeout:  wire.GetTimeout().AsDuration(),
	})
	return &agentpb.ProbeResult{
		Outcome:   string(result.Outcome),
		Connect:   durationpb.New(result.Connect),
		FirstByte: durationpb.New(result.FirstByte),
		Total:     durationpb.New(result.Total),
		Bytes:     result.Bytes,
		Detail:    result.Detail,
		Wire:      wireOf(result.Wire),
	}
}

func wireOf(wire kernel.Wire) *agentpb.Wire {
	return &agentpb.Wire{
		SegmentsOut:   wire.SegmentsOut,
		SegmentsIn:    wire.SegmentsIn,
		Retransmitted: wire.Retransmitted,
		OutOfOrder:    wire.OutOfOrder,
		Duplicated:    wire.Duplicated,
		PathMtu:       wire.PathMTU,
		SendMss:       wire.SendMSS,
		ReceiveMss:    wire.ReceiveMSS,
	}
}
