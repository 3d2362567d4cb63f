//go:build linux

package main

import (
	"context"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// SpoofNames answers nodes' DNS questions in place of their resolver, on all or none.
func (s *service) SpoofNames(ctx context.Context, request *agentpb.SpoofNamesRequest) (*agentpb.SpoofNamesResponse, error) {
	spoof := kernel.Spoof{
		Names:  request.GetNames(),
		Answer: kernel.Answer(request.GetAnswer()),
		Delay:  request.GetDelay().AsDuration(),
	}
	for _, given := range request.GetAddresses() {
		address, err := netip.ParseAddr(given)
		if err != nil {
			return nil, invalid("spoof: address: %v", err)
		}
		spoof.Addresses = append(spoof.Addresses, address)
	}
	if err := spoof.Check(); err != nil {
		return nil, invalid("%v", err)
	}
	var namespaces []*kernel.Namespace
	for _, id := range request.GetNodes() {
		namespace, err := s.nodes.Find(ctx, id)
		if err != nil {
			return nil, refusal(err)
		}
		namespaces = append(namespaces, namespace)
	}
	if err := s.spoofs.Add(request.GetOwner(), namespaces, spoof); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.SpoofNamesResponse{}, nil
}

// RestoreNames lets an owner's nodes have their resolver back.
func (s *service) RestoreNames(_ context.Context, request *agentpb.RestoreNamesRequest) (*agentpb.RestoreNamesResponse, error) {
	if err := s.spoofs.Remove(request.GetOwner()); err != nil {
		return nil, refusal(err)
	}
	return &agentpb.RestoreNamesResponse{}, nil
}

// Asked counts the questions that an owner's spoof was about.
func (s *service) Asked(_ context.Context, request *agentpb.AskedRequest) (*agentpb.AskedResponse, error) {
	questions, err := s.spoofs.Asked(request.GetOwner())
	if err != nil {
		return nil, refusal(err)
	}
	return &agentpb.AskedResponse{Questions: questions}, nil
}
