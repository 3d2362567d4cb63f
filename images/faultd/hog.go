//go:build linux

package main

import (
	"context"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// Hog holds an owner's idle connections out of a node.
func (s *service) Hog(ctx context.Context, request *agentpb.HogRequest) (*agentpb.HogResponse, error) {
	target, err := netip.ParseAddrPort(request.GetTarget())
	if err != nil {
		return nil, invalid("hog: target: %v", err)
	}
	err = s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		return s.hogs.Add(request.GetOwner(), n, target, int(request.GetConnections()))
	})
	return &agentpb.HogResponse{}, err
}

// Unhog closes an owner's connections.
func (s *service) Unhog(_ context.Context, request *agentpb.UnhogRequest) (*agentpb.UnhogResponse, error) {
	s.hogs.Remove(request.GetOwner())
	return &agentpb.UnhogResponse{}, nil
}

// Hogged counts an owner's connections.
func (s *service) Hogged(_ context.Context, request *agentpb.HoggedRequest) (*agentpb.HoggedResponse, error) {
	open, err := s.hogs.Open(request.GetOwner())
	return &agentpb.HoggedResponse{Open: int32(open)}, refusal(err)
}
