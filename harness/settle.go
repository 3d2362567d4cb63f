package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// settle waits, when everything is healed, until the swarm is what it was: every supernode
// counts everybody who can come back, and nobody holds more of the machine than before. It
// gives that the time that the system's timers allow. What a scenario that is red already
// would still come to, nobody has to wait for; a canary's promise is its own.
func (b *Bed) settle() {
	if _, canary := b.tb.(*recordingTB); canary || b.sampler == nil || b.tb.Failed() {
		return
	}
	verdict, _ := b.verdict()
	b.mu.Lock()
	opened := b.history.OpenedMS != nil
	b.mu.Unlock()
	if verdict != history.Pass || !opened || len(b.died(b.session.alive)) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(b.session.alive, b.Bounds().Rejoin+Observation)
	defer cancel()
	s := &history.Settled{HealedMS: b.now(), Counts: map[string]int{}}
	err := await(ctx, "the swarm to be what it was", Poll, func(ctx context.Context) error {
		s.Missing = b.missing(ctx, s)
		if len(s.Missing) > 0 {
			return errors.New(s.Missing[0])
		}
		return nil
	})
	if err == nil {
		at := b.now()
		s.BackMS = &at
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.history.Settled = s
}

// missing says what is not as it was, and notes in s what it looked at.
func (b *Bed) missing(ctx context.Context, s *history.Settled) (lines []string) {
	for _, supernode := range b.Supernodes() {
		want := b.returning(supernode)
		if !b.running(supernode) || len(want) == 0 {
			continue
		}
		s.Counts[supernode.Name] = len(want)
		members, err := b.members(ctx, supernode)
		if err != nil {
			lines = append(lines, fmt.Sprintf("%s does not tell whom it counts: %v", supernode.Name, err))
			continue
		}
		if counted(members, want) {
			continue
		}
		there := names(members)
		absent := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return slices.Contains(there, name) })
		lines = append(lines, fmt.Sprintf("%s counts %d of %d: without %v", supernode.Name, len(want)-len(absent), len(want), absent))
	}
	if len(lines) > 0 {
		return lines // what they hold means nothing before they are back
	}
	now, err := b.holdings(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	s.Nodes = nil
	for _, n := range b.topo.Of(topology.Supernode, topology.Seed, topology.Peer) {
		before, known := b.first[n.Name]
		after, there := now[n.Name]
		if !known || !there {
			continue // it was away then, or is now
		}
		held := history.Held{Node: n.Name, Before: before, After: after, Files: b.stored(n)}
		s.Nodes = append(s.Nodes, held)
		if leak := judge.Leak(held, len(b.topo.Nodes)); leak != "" {
			lines = append(lines, leak)
		}
	}
	return lines
}

// returning are the names of the seeds and peers that this supernode has to count when
// nothing is broken: those that run, speak its protocol, come back by themselves, were
// not given too few descriptors to begin with, and share their name with nobody.
func (b *Bed) returning(supernode topology.Node) []string {
	v, versioned := b.session.System.(system.Versioned)
	var want []string
	for _, n := range b.topo.Of(topology.Seed, topology.Peer) {
		if !b.running(n) || n.Descriptors > 0 || b.namesakes(n) > 0 {
			continue
		}
		if versioned && (!v.Speak(supernode.Release, n.Release) || !v.Returns(supernode.Release) || !v.Returns(n.Release)) {
			continue
		}
		want = append(want, n.Name)
	}
	return want
}

// namesakes is how many others go by a node's name in the swarm: there only one of them
// can be counted, now this one, now that.
func (b *Bed) namesakes(one topology.Node) (others int) {
	for _, n := range b.topo.Nodes {
		if n.Name != one.Name && cmp.Or(n.Stated, n.Name) == cmp.Or(one.Stated, one.Name) {
			others++
		}
	}
	return others
}

// running says whether a node was let through its gate, and no fault has ended it since.
func (b *Bed) running(n topology.Node) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened[n.Name] && !b.killed[n.Name]
}

// stored is how many files a node may have kept: one for each that was wanted on the bed.
func (b *Bed) stored(n topology.Node) int {
	if n.Role == topology.Supernode {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	files := map[string]bool{}
	for _, d := range b.downloads {
		files[d.Record().File] = true
	}
	return len(files)
}

// holdings are what the nodes that run hold now. A system that does not tell of its
// goroutines is not held to any of this: what it keeps open is its own affair.
func (b *Bed) holdings(ctx context.Context) (map[string]history.Holding, error) {
	if _, gauged := b.session.System.(system.Gauged); !gauged {
		return nil, nil
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var failed error
	held := map[string]history.Holding{}
	for _, n := range b.topo.Of(topology.Supernode, topology.Seed, topology.Peer) {
		if !b.running(n) {
			continue
		}
		all.Go(func() {
			f, err := b.Footprint(n)(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = fmt.Errorf("what %s holds: %w", n.Name, err)
				return
			}
			held[n.Name] = history.Holding(f)
		})
	}
	all.Wait()
	return held, failed
}

// noteHoldings keeps what the nodes hold now as what they hold when all is well. Who does
// not answer under the fault of a scenario is not compared.
func (b *Bed) noteHoldings(ctx context.Context) {
	held, _ := b.holdings(ctx) // who did not answer is left out
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first = held
}

// limits are the bounds of the system as a history keeps them.
func (b *Bed) limits() *history.Limits {
	bounds := b.Bounds()
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	return &history.Limits{
		ReadyMS: ms(bounds.Ready), NoticeMS: ms(bounds.Notice), DropMS: ms(bounds.Drop), FallbackMS: ms(bounds.Fallback),
		ForgiveMS: ms(bounds.Forgive), RejoinMS: ms(bounds.Rejoin), DownloadMS: ms(bounds.Download), RetryPauseMS: ms(bounds.RetryPauseLeast),
	}
}
