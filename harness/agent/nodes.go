package agent

import (
	"context"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Offload switches segmentation and aggregation (GSO, TSO, GRO, UDP
// segmentation) off on eth0 of the nodes, so that packets are as long as on a
// wire. What was on before is remembered; the last owner to leave restores it.
func (c *Client) Offload(ctx context.Context, owner string, nodes []string) error {
	_, err := c.agent.Offload(ctx, &agentpb.OffloadRequest{Owner: owner, Nodes: nodes})
	return translate(err)
}

// RestoreOffload ends the owner's wish of Offload. Twice is harmless.
func (c *Client) RestoreOffload(ctx context.Context, owner string) error {
	_, err := c.agent.RestoreOffload(ctx, &agentpb.RestoreOffloadRequest{Owner: owner})
	return translate(err)
}

// SetMTU sets the MTU of eth0 in bytes and says what it was.
func (c *Client) SetMTU(ctx context.Context, node string, mtu int) (previous int, err error) {
	answer, err := c.agent.SetMTU(ctx, &agentpb.SetMTURequest{Node: node, Mtu: int32(mtu)})
	return int(answer.GetPrevious()), translate(err)
}

// Descriptors reads the file descriptors of the container's main process.
func (c *Client) Descriptors(ctx context.Context, node string) (Descriptors, error) {
	answer, err := c.agent.Descriptors(ctx, &agentpb.DescriptorsRequest{Node: node})
	return Descriptors{
		Numbers: answer.GetNumbers(),
		Open:    answer.GetOpen(),
		Soft:    answer.GetSoft(),
		Hard:    answer.GetHard(),
	}, translate(err)
}

// LimitDescriptors sets the soft limit of the container's main process and says
// what it was. The hard limit is never touched, so the way back is open.
func (c *Client) LimitDescriptors(ctx context.Context, node string, soft uint64) (previous uint64, err error) {
	answer, err := c.agent.LimitDescriptors(ctx, &agentpb.LimitDescriptorsRequest{Node: node, Soft: soft})
	return answer.GetPrevious(), translate(err)
}

// HashFile reads a file inside a container. A file that is not there is an
// error that errors.Is(err, fs.ErrNotExist).
func (c *Client) HashFile(ctx context.Context, node, path string) (sha256hex string, size int64, err error) {
	answer, err := c.agent.HashFile(ctx, &agentpb.HashFileRequest{Node: node, Path: path})
	return answer.GetSha256(), answer.GetSize(), translate(err)
}

// Facts reads what a fault could have left behind, for the residue audit.
func (c *Client) Facts(ctx context.Context, node string) (Facts, error) {
	answer, err := c.agent.Facts(ctx, &agentpb.FactsRequest{Node: node})
	if err != nil {
		return Facts{}, translate(err)
	}
	return Facts{
		Tables:   answer.GetTables(),
		MTU:      int(answer.GetMtu()),
		Offloads: answer.GetOffloads(),
		Soft:     answer.GetSoft(),
		Process:  answer.GetProcess(),
		Queue:    answer.GetQueue(),
	}, nil
}

// Capabilities says what the kernel can do in a node's namespace: "yes", or why
// not. Each is tried on the spot and undone.
func (c *Client) Capabilities(ctx context.Context, node string) (map[string]string, error) {
	answer, err := c.agent.Capabilities(ctx, &agentpb.CapabilitiesRequest{Node: node})
	return answer.GetCapabilities(), translate(err)
}
