//go:build linux

package main

import (
	"context"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// Fill fills a node's disk for an owner.
func (s *service) Fill(ctx context.Context, request *agentpb.FillRequest) (*agentpb.FillResponse, error) {
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		return s.fills.Fill(request.GetOwner(), n, request.GetFolder(), request.GetSpare())
	})
	return &agentpb.FillResponse{}, err
}

// Unfill deletes what an owner filled.
func (s *service) Unfill(_ context.Context, request *agentpb.UnfillRequest) (*agentpb.UnfillResponse, error) {
	return &agentpb.UnfillResponse{}, refusal(s.fills.Remove(request.GetOwner()))
}

// Disk reads the state of a node's disk.
func (s *service) Disk(ctx context.Context, request *agentpb.DiskRequest) (*agentpb.DiskResponse, error) {
	answer := &agentpb.DiskResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) (err error) {
		answer.Size, answer.Free, err = n.Disk(request.GetFolder())
		return err
	})
	return answer, err
}
