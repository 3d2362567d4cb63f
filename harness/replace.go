package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// Replace does what an upgrade does: it stops a node with SIGTERM and starts, under its
// name and address, what n says now: another release. Its disk is new. It returns when
// the node's gate is open.
func (b *Bed) Replace(ctx context.Context, n topology.Node) {
	b.tb.Helper()
	b.step(fmt.Sprintf("replace %s by release %s", n.Name, b.session.System.Release(n.Release)))
	ctx, cancel := context.WithTimeout(ctx, BedStart)
	defer cancel()
	ctx, release := b.session.unlessLost(ctx)
	defer release()
	if err := b.replace(ctx, n); err != nil {
		b.infra(fmt.Errorf("replace %s: %w", n.Name, err))
	}
}

func (b *Bed) replace(ctx context.Context, n topology.Node) error {
	old := b.nodes[n.Name]
	if old == nil {
		return errors.New("no such node on this bed")
	}
	t := b.topo
	t.Nodes = slices.Clone(t.Nodes)
	t.Nodes[slices.IndexFunc(t.Nodes, func(was topology.Node) bool { return was.Name == n.Name })] = n
	c, err := b.session.System.Container(t, n)
	if err != nil {
		return err
	}
	engine := b.session.Engine
	walked, err := b.session.Agent.Bypass(ctx, old.container.ID)
	if err != nil && !errors.Is(err, agent.ErrNodeGone) {
		return err
	}
	b.mu.Lock()
	b.walked[n.Name] += int(walked) //nolint:gosec // a count of connections
	b.mu.Unlock()
	b.restarted(n.Name)
	processes{b}.note(n.Name, false)
	if err := engine.Stop(ctx, old.container.ID, StopGrace); err != nil {
		return err
	}
	log, err := engine.Logs(ctx, old.container.ID)
	if err != nil {
		return err
	}
	if err := b.endCapture(ctx, n.Name, n.Name+".replaced"); err != nil {
		return err
	}
	if err := engine.RemoveNode(ctx, old.container.ID); err != nil {
		return err
	}
	started, err := engine.Run(ctx, b.spec(n, c))
	if started != nil { // also one that failed has to be removed in the end
		b.layout.Lock()
		b.topo = t
		old.spec, old.after, old.files = n, c.After, c.Files
		old.container, old.past = started, append(old.past, log...)
		b.layout.Unlock()
	}
	if err != nil {
		return err
	}
	if err := b.plug(ctx, n.Name); err != nil {
		return err
	}
	if err := b.steer(ctx, n.Name); err != nil {
		return err
	}
	if err := b.startCapture(ctx, n.Name); err != nil {
		return err
	}
	if b.facts[n.Name], err = b.session.Agent.Facts(ctx, started.ID); err != nil {
		return err
	}
	if err := b.session.Agent.OpenGate(ctx, started.ID); err != nil {
		return fmt.Errorf("open its gate: %w", err)
	}
	return nil
}
