package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// awaitListening returns when a node listens on all its ports, asked from inside, where
// no fault lies; at once for one that is gone, or that nobody has let through its gate.
func (b *Bed) awaitListening(ctx context.Context, n topology.Node) error {
	b.mu.Lock()
	opened := b.opened[n.Name]
	b.mu.Unlock()
	if !opened {
		return nil
	}
	return await(ctx, n.Name+" to listen", Poll, func(ctx context.Context) error {
		for _, port := range b.session.System.Ports(n.Role) {
			conn, err := b.session.Agent.DialNode(ctx, b.Container(n.Name), fmt.Sprintf("127.0.0.1:%d", port.Number))
			if errors.Is(err, agent.ErrNodeGone) {
				return nil
			}
			if err != nil {
				return err
			}
			_ = conn.Close()
		}
		return nil
	})
}

// AwaitReady returns when every supernode counts every seed and peer, those spared
// that a scenario has taken away, and the swarm serves: where seeds are counted before
// they are used, each has given a file to a peer, and the origin has not. What passed
// until then is not in the Ledger. A swarm that never gets there has failed the spec.
func (b *Bed) AwaitReady(ctx context.Context, spared ...topology.Node) {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(ctx, b.Bounds().Ready)
	defer cancel()
	ctx, release := b.session.unlessLost(ctx)
	defer release()
	away := topology.Names(spared)
	want := slices.DeleteFunc(topology.Names(b.topo.Of(topology.Seed, topology.Peer)), func(name string) bool { return slices.Contains(away, name) })
	err := await(ctx, fmt.Sprintf("every supernode to count %d peers", len(want)), Poll, func(ctx context.Context) error {
		for _, s := range b.Supernodes() {
			members, err := b.members(ctx, s)
			if err != nil {
				return err
			}
			if !counted(members, want) {
				return fmt.Errorf("%s counts %v", s.Name, names(members))
			}
		}
		return nil
	})
	if w, ok := b.session.System.(system.Warming); err == nil && ok && w.Warming() {
		err = b.warm(ctx, away)
	}
	switch {
	case errors.Is(err, agent.ErrGone), b.session.lostBecause() != nil:
		b.infra(err)
	case err != nil: // gates are open: what does not answer now is the system
		b.tb.Fatalf("the swarm did not come together: %v", err)
	}
	b.noteHoldings(ctx)
	b.note(Laying, true, "")
}

// counted says whether all these names are among the members; where a supernode tells
// no names, whether there are as many.
func counted(members []system.Member, want []string) bool {
	named := names(members)
	if slices.ContainsFunc(members, func(m system.Member) bool { return m.Unnamed }) {
		return len(named) >= len(want)
	}
	return !slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(named, name) })
}

// warm downloads one file after another until every seed that is not away has given
// one, and as many in a row as there are supernodes came without the origin.
func (b *Bed) warm(ctx context.Context, away []string) error {
	peers := slices.DeleteFunc(b.Peers(), func(n topology.Node) bool { return slices.Contains(away, n.Name) })
	if len(peers) == 0 {
		return errors.New("warm up: every peer is spared: keep one")
	}
	inRow, n := 0, 0
	err := await(ctx, "every seed to give a file to a peer", Poll, func(context.Context) error {
		n++
		file := fixtures.Warm(n)
		outcome, err := b.Download(ctx, peers[0], file).Wait(ctx)
		if err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		if inRow++; outcome.Error != "" || !outcome.SHA256OK || outcome.From.Origin > 0 {
			inRow = 0
			return fmt.Errorf("of %s the origin gave %d bytes, intact: %v %s", file.Name, outcome.From.Origin, outcome.SHA256OK, outcome.Error)
		}
		for _, seed := range b.Seeds() {
			served, err := b.Served(seed)(ctx)
			if err != nil {
				return err
			}
			if served < file.Size && !slices.Contains(away, seed.Name) {
				return fmt.Errorf("%s has given nothing yet", seed.Name)
			}
		}
		if inRow < len(b.Supernodes()) {
			return fmt.Errorf("%d in a row came without the origin", inRow)
		}
		return nil
	})
	if err != nil {
		return err
	}
	zero, err := b.ledger(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.zero = zero
	return err
}
