package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
)

const (
	idlers = 10
	// idleAim is how many MiB a peer that does nothing may keep resident.
	idleAim = 20
	// settled is the pace at which resident sets are looked at; they have settled when none
	// has moved by more than one part in steady between two looks, or after settleWithin.
	settled      = 2 * time.Second
	steady       = 50
	settleWithin = 20 * time.Second
)

// idle measures what peers that do nothing keep in memory.
func (m *meter) idle(ctx context.Context) ([]Comparison, error) {
	m.progress(fmt.Sprintf("memory of %d idle peers", idlers))
	t := topology.Of(1, 0, idlers)
	return nil, m.onPlain(ctx, m.session.System, t, func(p *plain) error {
		peers := t.Of(topology.Peer)
		resident, err := p.settle(ctx, peers)
		if err != nil {
			return err
		}
		groups := make([]float64, len(peers))
		var all errgroup.Group
		for i, peer := range peers {
			all.Go(func() error {
				used, err := m.session.Engine.Usage(ctx, p.nodes[peer.Name].id)
				groups[i] = float64(used.MemoryUsed) / (1 << 20)
				return err
			})
		}
		if err := all.Wait(); err != nil {
			return err
		}
		rss := among(fmt.Sprintf("one of %d idle peers: resident set", idlers), "MiB", resident)
		rss.Aim = idleAim
		m.figures = append(m.figures, rss, among("the same: its control group, page cache included", "MiB", groups))
		return nil
	})
}

// settle returns the resident sets of these peers, in MiB, once they no longer move.
func (p *plain) settle(ctx context.Context, peers []topology.Node) ([]float64, error) {
	deadline, look := time.NewTimer(settleWithin), time.NewTicker(settled)
	defer deadline.Stop()
	defer look.Stop()
	last, err := p.resident(ctx, peers)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return last, nil
		case <-look.C:
		}
		var now []float64
		if now, err = p.resident(ctx, peers); err == nil && still(last, now) {
			return now, nil
		}
		last = now
	}
	return nil, err
}

// still says whether no value has moved by more than one part in steady.
func still(before, after []float64) bool {
	for i := range before {
		if moved := after[i] - before[i]; max(moved, -moved)*steady > before[i] {
			return false
		}
	}
	return true
}

func (p *plain) resident(ctx context.Context, peers []topology.Node) ([]float64, error) {
	sizes := make([]float64, len(peers))
	all, ctx := errgroup.WithContext(ctx)
	for i, peer := range peers {
		all.Go(func() error {
			now, err := readProcess(ctx, p.inside(), peer.Name, reference.StatusPort)
			sizes[i] = now.ResidentMiB
			return err
		})
	}
	return sizes, all.Wait()
}

// process is what a node's program says of itself.
type process struct {
	ResidentMiB, HeapMiB, CPUSeconds, Peers float64
}

// readProcess asks a node's /metrics.
func readProcess(ctx context.Context, in harness.Inside, node string, port int) (process, error) {
	page, err := in.Get(ctx, node, fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		return process{}, err
	}
	return process{
		ResidentMiB: metric(page, "process_resident_memory_bytes") / (1 << 20),
		HeapMiB:     metric(page, "go_memstats_heap_inuse_bytes") / (1 << 20),
		CPUSeconds:  metric(page, "process_cpu_seconds_total"),
		Peers:       metric(page, "swarm_supernode_peers"),
	}, nil
}
