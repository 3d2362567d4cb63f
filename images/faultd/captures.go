//go:build linux

package main

import (
	"context"
	"errors"
	"sync"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

// captures are those of the session's nodes, by container id. That of a node that is dead
// can still be taken.
type captures struct {
	mu sync.Mutex
	of map[string]*kernel.Capture
}

// begin returns the capture of a node, a new one if it has none.
func (c *captures) begin(node string, atMost int) *kernel.Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]*kernel.Capture{}
	}
	if c.of[node] == nil {
		c.of[node] = kernel.NewCapture(atMost)
	}
	return c.of[node]
}

func (c *captures) take(node string) *kernel.Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.of[node]
	delete(c.of, node)
	return taken
}

// errNoCapture says that a node of the session is not captured.
var errNoCapture = errors.New("its packets are not captured")

// captureAtMost bounds one capture: its memory is faultd's, and an answer has to hold it.
const captureAtMost = 4 << 20

// Capture begins to keep a node's packets.
func (s *service) Capture(ctx context.Context, request *agentpb.CaptureRequest) (*agentpb.CaptureResponse, error) {
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		return s.captures.begin(request.GetNode(), min(int(request.GetAtMost()), captureAtMost)).Begin(n)
	})
	return &agentpb.CaptureResponse{}, err
}

// TakeCapture ends a node's capture and hands it over.
func (s *service) TakeCapture(ctx context.Context, request *agentpb.TakeCaptureRequest) (*agentpb.TakeCaptureResponse, error) {
	taken := s.captures.take(request.GetNode())
	if taken == nil {
		return nil, s.on(ctx, request.GetNode(), func(*kernel.Namespace) error { return errNoCapture })
	}
	taken.End()
	if request.GetDrop() {
		return &agentpb.TakeCaptureResponse{}, nil
	}
	text, err := taken.Write(request.GetName())
	return &agentpb.TakeCaptureResponse{Pcapng: text}, refusal(err)
}
