package agent

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// SpoofNames answers DNS questions of the nodes in their resolver's place, on all of
// them or on none. The owner is as for AddRules. Where several owners spoof one node's
// names, the last to come is asked first, and passes on what is not about its names.
// TCP connections to a resolver that are open already stay as they are.
func (c *Client) SpoofNames(ctx context.Context, owner string, nodes []string, s Spoof) error {
	request := &agentpb.SpoofNamesRequest{
		Owner:  owner,
		Nodes:  nodes,
		Names:  s.Names,
		Answer: string(s.Answer),
		Delay:  durationpb.New(s.Delay),
	}
	for _, address := range s.Addresses {
		request.Addresses = append(request.Addresses, address.String())
	}
	_, err := c.agent.SpoofNames(ctx, request)
	return translate(err)
}

// RestoreNames ends exactly what SpoofNames began for the owner. Questions that are held
// back get their answers first. Twice is harmless, and so is a node that is gone.
func (c *Client) RestoreNames(ctx context.Context, owner string) error {
	_, err := c.agent.RestoreNames(ctx, &agentpb.RestoreNamesRequest{Owner: owner})
	return translate(err)
}

// Asked counts the questions so far that the owner's spoof was about: it answered them,
// kept silent on them or held them back. A client that gets no answer asks again, which
// counts again.
func (c *Client) Asked(ctx context.Context, owner string) (uint64, error) {
	answer, err := c.agent.Asked(ctx, &agentpb.AskedRequest{Owner: owner})
	return answer.GetQuestions(), translate(err)
}
