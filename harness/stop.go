package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/evidence"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// stop puts the bed away: it ends downloads, heals what is still in force, closes the
// books, audits the namespaces, keeps evidence if the verdict asks for it, and removes
// every container and the network. It runs however the scenario ended.
func (b *Bed) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), BedStop)
	defer cancel()
	b.noteEnd()
	b.note(Stopping, false, "")
	defer b.note(Stopping, true, "")
	b.unwatch()
	if b.session.lostBecause() == nil {
		b.lookInside(ctx)
	}
	b.endDownloads()
	if b.session.lostBecause() == nil { // else what is in force dies with the containers
		b.heal(ctx)
		b.settle()
		b.lookInside(ctx) // what is red only since then
	}
	settled := time.Now()
	b.sampler.end()
	ctx, again := context.WithTimeout(context.WithoutCancel(ctx), BedStop)
	defer again()
	if b.session.lostBecause() == nil {
		b.trouble(b.closeBooks(ctx))
		b.audit(ctx)
		b.closeSeries(ctx)
	}
	b.mu.Lock()
	if b.tb.Failed() && b.history.Failure == "" {
		b.history.Failure = "the spec failed" // its report has the words
	}
	b.mu.Unlock()
	if b.session.lostBecause() != nil {
		b.trouble(errors.New("not all was healed, counted or audited"))
	}
	verdict, _ := b.verdict()
	keep := verdict != history.Pass || b.session.AllEvidence
	if b.session.lostBecause() == nil {
		if err := b.endCaptures(ctx, keep); err != nil {
			b.tb.Logf("evidence: %v", err)
		}
	}
	if keep {
		dir := filepath.Join(b.session.RunDir, b.session.EvidenceDir(b.tb.Name()))
		if err := evidence.Keep(ctx, dir, patient{b}); err != nil {
			b.tb.Logf("evidence: %v", err)
		}
	}
	b.trouble(b.remove(ctx, verdict == history.Pass))
	b.spend(&b.history.Spent.EndMS, settled)
	h := b.History()
	h.Budgets = judge.Budgets(h)
	if r, ok := b.tb.(*recordingTB); ok {
		r.history = &h
		b.session.vacate()
		return
	}
	b.session.finish(&h)
}

// heal undoes what is still in force, last first.
func (b *Bed) heal(ctx context.Context) {
	b.mu.Lock()
	b.ending = true
	injections := slices.Clone(b.injections)
	b.mu.Unlock()
	for _, i := range slices.Backward(injections) {
		_ = i.heal(ctx) // an error is in the injection's record, where the judge finds it
	}
}

// trouble notes what went wrong in the harness; nil is nothing. That faultd is gone
// comes first, as it is the reason for what else does not work.
func (b *Bed) trouble(err error) {
	if err == nil {
		return
	}
	lost := b.session.lostBecause()
	b.mu.Lock()
	defer b.mu.Unlock()
	if lost != nil && !slices.Contains(b.history.Trouble, lost.Error()) {
		b.history.Trouble = slices.Insert(b.history.Trouble, 0, lost.Error())
	}
	b.history.Trouble = append(b.history.Trouble, err.Error())
}

func (b *Bed) endDownloads() {
	b.mu.Lock()
	running := slices.Clone(b.downloads)
	b.mu.Unlock()
	for _, d := range running {
		d.End()
	}
}

// closeBooks reads the ledger and the bypass counters for the last time.
func (b *Bed) closeBooks(ctx context.Context) error {
	if b.streams == nil {
		return nil // the bed never came up
	}
	book, err := b.ledger(ctx)
	if err != nil {
		return fmt.Errorf("close the ledger: %w", err)
	}
	bypass, err := b.Bypass(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.history.Ledger, b.history.Bypass = book, bypass
	b.history.Intake = map[string]history.From{}
	for _, n := range b.topo.Nodes {
		if from := book.From(n.Name, b.topo, b.content); from.Total() > 0 {
			b.history.Intake[n.Name] = from
		}
	}
	return nil
}

// Bypass counts the TCP connections to other nodes that walked around their links, by
// node.
func (b *Bed) Bypass(ctx context.Context) (map[string]int, error) {
	b.mu.Lock()
	bypass := maps.Clone(b.walked)
	b.mu.Unlock()
	for name, n := range b.nodes {
		if n.container == nil || n.spec.Role == topology.Origin {
			continue
		}
		packets, err := b.session.Agent.Bypass(ctx, n.container.ID)
		if errors.Is(err, agent.ErrNodeGone) {
			continue // killed; what it did before is gone with its namespace
		}
		if err != nil {
			return nil, fmt.Errorf("bypass counter of %s: %w", name, err)
		}
		bypass[name] += int(packets) //nolint:gosec // a count of connections
	}
	return bypass, nil
}

// audit compares the namespaces of all nodes, and of the proxy, with what they were when
// the bed was laid: after healing no rule, MTU or offload may differ. Limits go with the
// process; a fault that changed one has seen it restored, or is not healed. What lay on a
// node that died by itself is gone with it.
func (b *Bed) audit(ctx context.Context) {
	if b.facts == nil {
		return
	}
	died := b.died(ctx)
	b.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(died)) {
		b.history.Died = append(b.history.Died, fmt.Sprintf("%s ended by itself with exit status %d", name, died[name]))
	}
	b.mu.Unlock()
	now, err := b.readFacts(ctx, died)
	if err == nil {
		err = b.auditEffects(ctx, died)
	}
	if err != nil {
		b.trouble(fmt.Errorf("audit: %w", err))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, is := b.facts[name], now[name]
		for what, pair := range map[string][2]any{
			"tables":   {was.Tables, is.Tables},
			"MTU":      {was.MTU, is.MTU},
			"offloads": {was.Offloads, is.Offloads},
			"queue":    {was.Queue, is.Queue},
		} {
			if before, after := fmt.Sprint(pair[0]), fmt.Sprint(pair[1]); before != after {
				b.history.Residue = append(b.history.Residue, fmt.Sprintf("%s of %s: %s, was %s", what, name, after, before))
			}
		}
	}
}

// auditEffects looks for toxics, and for limits of control groups: no bed begins with any.
func (b *Bed) auditEffects(ctx context.Context, died map[string]int) error {
	left, err := b.streams.Residue(ctx)
	if err != nil {
		return err
	}
	for i := range left {
		left[i] = "toxic " + left[i]
	}
	for name, n := range b.nodes {
		if _, gone := died[name]; gone || n.container == nil {
			continue
		}
		l, err := b.session.Engine.Limits(ctx, n.container.ID)
		if err != nil {
			return err
		}
		if l.CPUs > 0 || l.MemoryBytes > 0 {
			left = append(left, fmt.Sprintf("limits of %s: %g CPUs, %d bytes", name, l.CPUs, l.MemoryBytes))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.history.Residue = append(b.history.Residue, left...)
	return nil
}

// died are the nodes that run no more although no fault has killed them, each with its
// exit status.
func (b *Bed) died(ctx context.Context) map[string]int {
	died := map[string]int{}
	for name, n := range b.nodes {
		b.mu.Lock()
		killed := b.killed[name]
		b.mu.Unlock()
		if n.container == nil || killed {
			continue
		}
		if runs, err := b.session.Engine.Runs(ctx, n.container.ID); err != nil || runs {
			continue
		}
		if status, err := b.session.Engine.Ended(ctx, n.container.ID); err == nil {
			died[name] = status
		}
	}
	return died
}

// remove takes away all nodes, and the site unless it is as clean as it was: then the next
// bed gets it.
func (b *Bed) remove(ctx context.Context, clean bool) error {
	var ids []string
	for _, n := range b.nodes {
		if n.container != nil {
			ids = append(ids, n.container.ID)
		}
	}
	err := b.session.yield(ctx)
	var all errgroup.Group
	for _, id := range ids {
		all.Go(func() error { return b.session.Engine.RemoveNode(ctx, id) })
	}
	err = errors.Join(err, all.Wait())
	switch {
	case b.site == nil:
	case clean && err == nil:
		b.session.leaveSite(b.site)
	default:
		err = errors.Join(err, b.session.removeSite(ctx, b.site))
	}
	return err
}
