package agent

import (
	"context"
	"math"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Hog holds so many idle connections from inside a node's namespace to the target,
// steered like the node's own, until Unhog; 20000 are the most. Those that are refused,
// time out or are closed are opened again after a pause, so that a place that becomes
// free is taken. It returns when each has been tried once, or after 30 s; when ctx ends
// first, they are there nevertheless. The owner is as in AddRules; one that has a hog
// already is refused with ErrExists.
func (c *Client) Hog(ctx context.Context, owner, node string, target netip.AddrPort, connections int) error {
	_, err := c.agent.Hog(ctx, &agentpb.HogRequest{
		Owner:       owner,
		Node:        node,
		Target:      target.String(),
		Connections: int32(min(connections, math.MaxInt32)),
	})
	return translate(err)
}

// Unhog closes the owner's connections. Twice is harmless, and so is a node that is gone.
func (c *Client) Unhog(ctx context.Context, owner string) error {
	_, err := c.agent.Unhog(ctx, &agentpb.UnhogRequest{Owner: owner})
	return translate(err)
}

// Hogged says how many of the owner's connections are open now. It is an ErrNodeGone when
// they ended with their node.
func (c *Client) Hogged(ctx context.Context, owner string) (int, error) {
	answer, err := c.agent.Hogged(ctx, &agentpb.HoggedRequest{Owner: owner})
	return int(answer.GetOpen()), translate(err)
}
