package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"path"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Traces are what objects of an engine are known by on its host: in rules, names of
// interfaces, mounts. Bridge says that one of the containers is on the engine's default
// bridge, whose interfaces tell no more than that.
type Traces struct {
	Names     []string
	Addresses []netip.Addr
	Subnets   []netip.Prefix
	PIDs      []int
	Bridge    bool
}

// The engine's own networks; nobody's come and go with them.
var builtIn = map[string]bool{"bridge": true, "host": true, "none": true}

// Traces are those of the containers and networks that whose picks, as of now.
func (e *Engine) Traces(ctx context.Context, whose func(session string) bool) (Traces, error) {
	var t Traces
	networks, err := e.client.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return t, fmt.Errorf("list networks: %w", err)
	}
	for _, n := range networks.Items {
		if builtIn[n.Name] || !whose(n.Labels[LabelSession]) {
			continue
		}
		t.Names = append(t.Names, n.ID[:12]) // "br-" and this is its bridge
		for _, c := range n.IPAM.Config {
			t.Subnets = append(t.Subnets, c.Subnet)
		}
	}
	containers, err := e.client.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return t, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range containers.Items {
		if !whose(c.Labels[LabelSession]) {
			continue
		}
		found, err := e.client.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if errdefs.IsNotFound(err) {
			continue // it has gone since
		}
		if err != nil {
			return t, fmt.Errorf("inspect container %.12s: %w", c.ID, err)
		}
		t.add(found.Container)
	}
	return t, nil
}

func (t *Traces) add(c container.InspectResponse) {
	t.Names = append(t.Names, c.ID[:12])
	if c.State != nil && c.State.Pid > 0 {
		t.PIDs = append(t.PIDs, c.State.Pid)
	}
	if c.NetworkSettings != nil {
		if c.NetworkSettings.SandboxKey != "" {
			t.Names = append(t.Names, path.Base(c.NetworkSettings.SandboxKey))
		}
		for name, endpoint := range c.NetworkSettings.Networks {
			t.Bridge = t.Bridge || name == "bridge"
			if endpoint.IPAddress.IsValid() {
				t.Addresses = append(t.Addresses, endpoint.IPAddress)
			}
		}
	}
	if c.GraphDriver != nil && c.GraphDriver.Data["MergedDir"] != "" {
		t.Names = append(t.Names, c.GraphDriver.Data["MergedDir"])
	}
}
