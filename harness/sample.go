package harness

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/nodelog"
	"github.com/faultbed/faultbed/harness/topology"
)

// samplesAtMost bounds a history: when there are so many, every second one goes and the
// pace halves. With SampleEvery that is after four minutes.
const samplesAtMost = 480

// sampler looks at a bed at a steady pace, from outside of the system: at the ledger each
// time, and at the supernodes every so often. What cannot be seen just then is left out.
type sampler struct {
	bed   *Bed
	stop  context.CancelFunc
	over  sync.WaitGroup
	moved map[fault.Edge]moved // of the ledger's goroutine, until it is over
	last  ledger.Book
}

// moved is when something first and last passed over a link.
type moved struct{ first, last int64 }

// startSampler begins to look at b, until it is ended or faultd is gone.
func startSampler(b *Bed) *sampler {
	ctx, cancel := context.WithCancel(b.session.alive)
	s := &sampler{bed: b, stop: cancel, moved: map[fault.Edge]moved{}}
	s.over.Go(func() { every(ctx, SampleEvery, s.sample) })
	s.over.Go(func() { every(ctx, CountEvery, s.count) }) // a supernode that hangs must hold nobody up
	return s
}

// end returns when nobody looks any more. It may be called twice, and on nil.
func (s *sampler) end() {
	if s == nil {
		return
	}
	s.stop()
	s.over.Wait()
}

// every calls look at that pace until ctx ends.
func every(ctx context.Context, pace time.Duration, look func(context.Context)) {
	beat := time.NewTicker(pace)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		once, cancel := context.WithTimeout(ctx, Observation)
		look(once)
		cancel()
	}
}

// sample notes what has passed so far.
func (s *sampler) sample(ctx context.Context) {
	book, err := s.bed.ledger(ctx)
	if err != nil {
		return
	}
	now := s.bed.now()
	for _, l := range book.Since(s.last) {
		e := fault.Edge{Client: l.Client, Server: l.Server, Port: l.Port}
		was, known := s.moved[e]
		if !known {
			was.first = now
		}
		s.moved[e] = moved{was.first, now}
	}
	s.last = book
	s.bed.layout.RLock()
	from := book.Sources(s.bed.topo, s.bed.content)
	s.bed.layout.RUnlock()
	s.bed.mu.Lock()
	defer s.bed.mu.Unlock()
	h := &s.bed.history
	h.Samples = thin(h.Samples, history.Sample{
		AtMS: now, Origin: from.Origin, Seeds: from.Seeds, Peers: from.Peers, Conns: book.AllConns(),
	})
}

// thin adds a sample to those that there are, unless it comes sooner after the last one
// than they lie apart.
func thin(samples []history.Sample, next history.Sample) []history.Sample {
	if len(samples) >= samplesAtMost {
		kept := samples[:0]
		for i := 0; i < len(samples); i += 2 {
			kept = append(kept, samples[i])
		}
		samples = kept
	}
	if n := len(samples); n >= samplesAtMost/2 {
		apart := (samples[n-1].AtMS - samples[0].AtMS) / int64(n-1)
		if next.AtMS-samples[n-1].AtMS < apart*3/4 {
			return samples
		}
	}
	return append(samples, next)
}

// count asks every supernode that runs whom it counts.
func (s *sampler) count(ctx context.Context) {
	s.bed.layout.RLock()
	supernodes := s.bed.Supernodes()
	s.bed.layout.RUnlock()
	for _, n := range supernodes {
		s.bed.mu.Lock()
		asks := s.bed.opened[n.Name] && !s.bed.killed[n.Name]
		s.bed.mu.Unlock()
		if !asks {
			continue
		}
		if members, err := s.bed.session.System.Members(ctx, s.bed.inside(), n); err == nil {
			s.bed.notePeerCount(n.Name, len(members))
		}
	}
}

// closeSeries puts into the history what only the end knows: who was there, when links
// were used, and what the nodes' logs complain of.
func (b *Bed) closeSeries(ctx context.Context) {
	if b.sampler == nil {
		return // the bed never came up
	}
	b.mu.Lock()
	ended := *b.history.EndedMS
	b.mu.Unlock()
	var logs []nodelog.Log
	var nodes []history.Node
	for _, spec := range b.topo.Nodes {
		n := b.nodes[spec.Name]
		nodes = append(nodes, history.Node{Name: spec.Name, Stated: spec.Stated, Role: string(spec.Role), Release: b.releaseOf(spec), Address: n.address.String()})
		text, err := patient{b}.Log(ctx, spec.Name)
		if err != nil {
			continue // what evidence could not read either is said there
		}
		failed := b.session.System.Diagnoses(spec, text)
		for i := range failed {
			failed[i].Target = b.byName(failed[i].Target)
		}
		logs = append(logs, nodelog.Log{Node: spec.Name, Text: text, Failed: failed})
	}
	complaints, times := nodelog.Complaints(b.start, ended, logs)
	warnings := nodelog.Warnings(b.start, logs)
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &b.history
	h.Nodes, h.Complaints, h.Log = nodes, complaints, warnings
	for i := range h.Samples {
		n, _ := slices.BinarySearchFunc(times, h.Samples[i].AtMS, func(at, until int64) int { return cmp.Or(cmp.Compare(at, until), -1) })
		h.Samples[i].Failed = int64(n)
	}
	for i, l := range h.Ledger {
		if m, ok := b.sampler.moved[fault.Edge{Client: l.Client, Server: l.Server, Port: l.Port}]; ok {
			h.Ledger[i].FirstMS, h.Ledger[i].LastMS = &m.first, &m.last
		}
	}
}

// releaseOf is the release that a node of the swarm runs; others have none.
func (b *Bed) releaseOf(n topology.Node) string {
	if n.Release == "" {
		return ""
	}
	return b.session.System.Release(n.Release)
}
