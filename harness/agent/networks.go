package agent

import (
	"context"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Plug puts a node that was started without any network on one of faultd's own: as eth0
// with that address, with a resolver that knows it, and all others on that network, by name.
// The network is made when there is none of that name. Twice is harmless; a node that comes
// back in a new namespace is plugged in anew.
func (c *Client) Plug(ctx context.Context, network, node, name string, address netip.Prefix) error {
	_, err := c.agent.Plug(ctx, &agentpb.PlugRequest{Network: network, Node: node, Name: name, Prefix: address.String()})
	return translate(err)
}

// CloseNetwork takes a network away. One that is not there is no error. It also goes when
// the lease of the beds whose names begin its own runs out, and with faultd.
func (c *Client) CloseNetwork(ctx context.Context, network string) error {
	_, err := c.agent.CloseNetwork(ctx, &agentpb.CloseNetworkRequest{Network: network})
	return translate(err)
}
