//go:build linux

package main

import (
	"context"
	"math"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// Shape bounds links for an owner, all or none.
func (s *service) Shape(ctx context.Context, request *agentpb.ShapeRequest) (*agentpb.ShapeResponse, error) {
	shapes := make([]kernel.Shape, 0, len(request.GetRates()))
	for i, wire := range request.GetRates() {
		shape := kernel.Shape{
			Node:           wire.GetNode(),
			Direction:      kernel.Direction(wire.GetDirection()), // the same numbers
			BytesPerSecond: wire.GetBytesPerSecond(),
		}
		if wire.GetPort() > math.MaxUint16 {
			return nil, invalid("shape: rate %d: port %d", i, wire.GetPort())
		}
		shape.Port = uint16(wire.GetPort())
		if wire.GetOriginal() != "" {
			original, err := netip.ParseAddrPort(wire.GetOriginal())
			if err != nil {
				return nil, invalid("shape: rate %d: original: %v", i, err)
			}
			shape.Original = original
		}
		var err error
		if shape.Namespace, err = s.nodes.Find(ctx, wire.GetNode()); err != nil {
			return nil, refusal(err)
		}
		shapes = append(shapes, shape)
	}
	if err := s.shapes.Add(request.GetOwner(), shapes); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.ShapeResponse{}, nil
}

// Unshape takes an owner's rates away.
func (s *service) Unshape(_ context.Context, request *agentpb.UnshapeRequest) (*agentpb.UnshapeResponse, error) {
	if err := s.shapes.Remove(request.GetOwner()); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.UnshapeResponse{}, nil
}

// Shaped reads what an owner's rates have let pass.
func (s *service) Shaped(_ context.Context, request *agentpb.ShapedRequest) (*agentpb.ShapedResponse, error) {
	flows, err := s.shapes.Flows(request.GetOwner())
	if err != nil {
		return nil, refusal(err)
	}
	answer := &agentpb.ShapedResponse{}
	for _, flow := range flows {
		answer.Flows = append(answer.Flows, &agentpb.Flow{
			Node:    flow.Node,
			Rate:    int32(flow.Rate),
			Packets: flow.Packets,
			Bytes:   flow.Bytes,
			Delayed: flow.Delayed,
			Dropped: flow.Dropped,
		})
	}
	return answer, nil
}
