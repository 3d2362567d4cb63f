package harness

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness/evidence"
)

// captureAtMost bounds the capture of one node, in bytes.
const captureAtMost = 4 << 20

// startCapture begins to keep a node's packets, if the run was asked for captures. It is
// begun anew when a node is started again.
func (b *Bed) startCapture(ctx context.Context, name string) error {
	if !b.session.Capture {
		return nil
	}
	room := min(evidence.CaptureAtMost(len(b.topo.Nodes)), captureAtMost)
	if err := b.session.Agent.Capture(ctx, b.Container(name), room); err != nil {
		return fmt.Errorf("capture packets of %s: %w", name, err)
	}
	return nil
}

// endCaptures ends the captures of all nodes, and keeps them if they are wanted.
func (b *Bed) endCaptures(ctx context.Context, keep bool) error {
	if !b.session.Capture || b.sampler == nil {
		return nil
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range b.topo.Nodes {
		all.Go(func() error {
			if !keep {
				return b.session.Agent.DropCapture(ctx, b.Container(n.Name))
			}
			return b.endCapture(ctx, n.Name, n.Name)
		})
	}
	return all.Wait()
}

// endCapture keeps the capture of a node's container under that name.
func (b *Bed) endCapture(ctx context.Context, node, name string) error {
	if !b.session.Capture {
		return nil
	}
	capture, err := b.session.Agent.TakeCapture(ctx, b.Container(node), name)
	if err != nil {
		return fmt.Errorf("take the capture of %s: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.captures[name] = capture
	return nil
}
