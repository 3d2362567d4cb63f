package agent

import (
	"context"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Rate bounds one direction of one link, where its packets leave; all connections of
// the link share it.
type Rate struct {
	// Node is the container whose packets are bounded: Upstream the client's,
	// Downstream the one that holds the link's listener.
	Node      string
	Direction Direction
	// Port, for Downstream, is the listener's port in the namespace.
	Port uint16
	// Original, for Upstream, is the server as the client dialled it, before steering.
	Original netip.AddrPort
	// BytesPerSecond counts Ethernet frames, which are 14 bytes longer than their IP
	// packets: of 1514 bytes 1448 are a TCP stream's. 100 and more.
	BytesPerSecond uint64
}

// Flow is what one rate has let pass so far.
type Flow struct {
	Node string
	// Rate is the index in the slice given to Shape.
	Rate int
	// Packets and Bytes (of Ethernet frames) that have left.
	Packets, Bytes uint64
	// Delayed is how often the rate was used up, so that what came next had to wait.
	Delayed uint64
	// Dropped is how many packets found a full queue. It holds a thousand long ones.
	Dropped uint64
}

// Shape puts rates in force, all or none. The owner is as in AddRules, and must not have
// rules on a node where it has a rate; one that has rates already is refused with
// ErrExists. A link has one rate for each direction: a second owner's is refused.
func (c *Client) Shape(ctx context.Context, owner string, rates []Rate) error {
	request := &agentpb.ShapeRequest{Owner: owner}
	for _, rate := range rates {
		wire := &agentpb.Rate{
			Node:           rate.Node,
			Direction:      agentpb.Direction(rate.Direction),
			Port:           uint32(rate.Port),
			BytesPerSecond: rate.BytesPerSecond,
		}
		if rate.Original.IsValid() {
			wire.Original = rate.Original.String()
		}
		request.Rates = append(request.Rates, wire)
	}
	_, err := c.agent.Shape(ctx, request)
	return translate(err)
}

// Unshape takes the owner's rates away. Twice is harmless, and so is a node that is gone.
// What waits to leave goes at once.
func (c *Client) Unshape(ctx context.Context, owner string) error {
	_, err := c.agent.Unshape(ctx, &agentpb.UnshapeRequest{Owner: owner})
	return translate(err)
}

// Shaped says what each of the owner's rates has let pass so far, in their order. Those in
// a namespace that is gone are left out.
func (c *Client) Shaped(ctx context.Context, owner string) ([]Flow, error) {
	answer, err := c.agent.Shaped(ctx, &agentpb.ShapedRequest{Owner: owner})
	if err != nil {
		return nil, translate(err)
	}
	flows := make([]Flow, 0, len(answer.GetFlows()))
	for _, flow := range answer.GetFlows() {
		flows = append(flows, Flow{
			Node:    flow.GetNode(),
			Rate:    int(flow.GetRate()),
			Packets: flow.GetPackets(),
			Bytes:   flow.GetBytes(),
			Delayed: flow.GetDelayed(),
			Dropped: flow.GetDropped(),
		})
	}
	return flows, nil
}
