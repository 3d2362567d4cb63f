package agent

import (
	"context"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Capture begins to keep the last packets of a node's eth0, as many as atMost bytes of
// pcapng hold. A node that was started again goes on where it was. It takes a faultd with
// CAP_NET_RAW.
func (c *Client) Capture(ctx context.Context, node string, atMost int) error {
	_, err := c.agent.Capture(ctx, &agentpb.CaptureRequest{Node: node, AtMost: int32(atMost)}) //nolint:gosec // some MiB
	return translate(err)
}

// TakeCapture ends a node's capture, also if the node is dead, and returns it as pcapng in
// which the node goes by name.
func (c *Client) TakeCapture(ctx context.Context, node, name string) ([]byte, error) {
	answer, err := c.agent.TakeCapture(ctx, &agentpb.TakeCaptureRequest{Node: node, Name: name})
	return answer.GetPcapng(), translate(err)
}

// DropCapture ends a node's capture and throws it away.
func (c *Client) DropCapture(ctx context.Context, node string) error {
	_, err := c.agent.TakeCapture(ctx, &agentpb.TakeCaptureRequest{Node: node, Drop: true})
	return translate(err)
}
