//go:build linux

package main

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// networks are those of the session's own, by name. They end with this process at the
// latest.
type networks struct {
	mu   sync.Mutex
	open map[string]*kernel.Switch
}

// find returns the network of that name, and makes it when there is none.
func (n *networks) find(name string) (*kernel.Switch, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if found := n.open[name]; found != nil {
		return found, nil
	}
	made, err := kernel.NewSwitch()
	if err != nil {
		return nil, err
	}
	if n.open == nil {
		n.open = map[string]*kernel.Switch{}
	}
	n.open[name] = made
	return made, nil
}

// close takes away all networks with such names.
func (n *networks) close(such func(name string) bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for name, network := range n.open {
		if such(name) {
			errs = append(errs, network.Close())
			delete(n.open, name)
		}
	}
	return errors.Join(errs...)
}

// Plug puts a node on a network, and tells its programs where they find names.
func (s *service) Plug(ctx context.Context, request *agentpb.PlugRequest) (*agentpb.PlugResponse, error) {
	address, err := netip.ParsePrefix(request.GetPrefix())
	if err != nil {
		return nil, invalid("plug: address: %v", err)
	}
	if request.GetNetwork() == "" || request.GetName() == "" {
		return nil, invalid("plug: want the names of a network and of the node")
	}
	return &agentpb.PlugResponse{}, s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		network, err := s.networks.find(request.GetNetwork())
		if err != nil {
			return err
		}
		if err := network.Plug(n, request.GetName(), address); err != nil {
			return err
		}
		return n.WriteNames(request.GetName(), address.Addr())
	})
}

// CloseNetwork takes a network away.
func (s *service) CloseNetwork(_ context.Context, request *agentpb.CloseNetworkRequest) (*agentpb.CloseNetworkResponse, error) {
	if request.GetNetwork() == "" {
		return nil, invalid("close network: want its name")
	}
	return &agentpb.CloseNetworkResponse{}, refusal(s.networks.close(func(name string) bool { return name == request.GetNetwork() }))
}
