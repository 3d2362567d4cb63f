package agent

import (
	"context"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Fill puts a file into a folder of a node, as its main process sees it, that leaves so
// many bytes of the folder's file system free. One of which more than 1 GiB is free is
// refused, and so is the container's root: the node needs a small disk of its own there.
// The owner is as in AddRules; one that fills a disk already is refused with ErrExists.
func (c *Client) Fill(ctx context.Context, owner, node, folder string, spare uint64) error {
	_, err := c.agent.Fill(ctx, &agentpb.FillRequest{Owner: owner, Node: node, Folder: folder, Spare: spare})
	return translate(err)
}

// Unfill deletes the owner's file. Twice is harmless, and so is a node that is gone.
func (c *Client) Unfill(ctx context.Context, owner string) error {
	_, err := c.agent.Unfill(ctx, &agentpb.UnfillRequest{Owner: owner})
	return translate(err)
}

// Disk says how large the file system of a folder of a node is, and how much of it can
// still be written; in bytes.
func (c *Client) Disk(ctx context.Context, node, folder string) (size, free uint64, err error) {
	answer, err := c.agent.Disk(ctx, &agentpb.DiskRequest{Node: node, Folder: folder})
	return answer.GetSize(), answer.GetFree(), translate(err)
}
