package harness

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
)

// patient is a bed as evidence sees it.
type patient struct{ *Bed }

func (p patient) Nodes() []string {
	var started []string
	for name, n := range p.nodes {
		if n.container != nil {
			started = append(started, name)
		}
	}
	slices.Sort(started)
	return started
}

func (p patient) Log(ctx context.Context, node string) ([]byte, error) {
	log, err := p.session.Engine.Logs(ctx, p.Container(node))
	return append(slices.Clone(p.nodes[node].past), log...), err
}

func (p patient) Inspect(ctx context.Context, node string) ([]byte, error) {
	return p.session.Engine.Inspect(ctx, p.Container(node))
}

func (p patient) Facts(ctx context.Context, node string) (any, error) {
	return p.session.Agent.Facts(ctx, p.Container(node))
}

func (p patient) Goroutines() map[string][]byte { return p.dumps }

func (p patient) Captures() map[string][]byte { return p.captures }

func (p patient) Files(node string) map[string][]byte { return p.nodes[node].files }

func (p patient) Proxies(ctx context.Context) ([]byte, error) {
	if p.streams == nil {
		return nil, errors.New("the bed has no proxy")
	}
	return p.streams.Config(ctx)
}

// lookInside asks the nodes of a scenario that has gone wrong where their goroutines stand,
// before healing lets go what hangs.
func (b *Bed) lookInside(ctx context.Context) {
	verdict, _ := b.verdict()
	under, ok := b.session.System.(system.Profiled)
	if !ok || b.sampler == nil || len(b.dumps) > 0 || verdict == history.Pass && !b.tb.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dumpWithin)
	defer cancel()
	var asked sync.WaitGroup
	for _, n := range b.topo.Nodes {
		url := under.Stacks(n)
		if url == "" {
			continue
		}
		asked.Go(func() {
			dump, err := b.inside().Get(ctx, n.Name, url)
			if err != nil {
				return // it is dead or paused, or of a release that does not tell
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.dumps[n.Name] = dump
		})
	}
	asked.Wait()
}
