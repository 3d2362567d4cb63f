package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
)

// Deadlines of the lifecycle. They bound harness work on a busy two-core machine, not
// the system under test.
const (
	// DefaultSilence is how long a probe waits before no answer counts as silence. The
	// kernel's counters are the second witness, so it may be short.
	DefaultSilence = 500 * time.Millisecond
	answerWithin   = 2 * time.Second  // for a probe that should be answered
	confirmWithin  = 5 * time.Second  // from applied to seen biting
	goneWithin     = 15 * time.Second // from healed to seen well: a killed node has to start
	healWithin     = 30 * time.Second // for the undo itself, on a context of its own
	again          = 50 * time.Millisecond

	probeAtMost   = 6 // links of a fault that are probed
	controlAtMost = 4
	stillAtMost   = 2
)

// state of an injection. Any error leads to invalid, from which only Heal leads on.
//
//	planned --apply--> applied --confirm--> active --heal--> healed
//	           |          |                   |                ^
//	           +----------+-----> invalid <---+----- heal -----+
type state int

const (
	planned state = iota
	applied
	active
	invalid
	healed
)

// Injection is a fault in force.
type Injection struct {
	fault  Fault
	plan   Plan
	target Target
	clock  func() int64
	book   *Book

	mu       sync.Mutex
	state    state
	record   history.Fault
	looks    []Look            // at the faulted links
	before   []history.Reading // what they showed
	controls []Look            // at unfaulted links, and behind them plan.Still
	control  []history.Reading
	figures  map[string]uint64
	undo     Undo
	unhold   func() error
}

// ErrUnwell says that a fault was undone and what it had hit is still not well: either
// the system did not recover, or the undo was none, which the audit of the namespaces
// finds.
var ErrUnwell = errors.New("not well again")

// Inject puts f in force on t and returns when it was seen to bite, or was not. clock
// gives the bed's time in milliseconds. The injection is never nil when err is nil or
// when something may have been applied: heal it in any case. A fault that did not bite
// is no error; see Record.
func Inject(ctx context.Context, t Target, f Fault, book *Book, clock func() int64) (*Injection, error) {
	plan, id, err := book.enter(f, t)
	i := &Injection{
		fault: f, plan: plan, target: t, clock: clock, book: book,
		undo:   func(context.Context) error { return nil },
		unhold: func() error { return nil },
		record: history.Fault{ID: id, Kind: f.Kind(), Target: f.Target()},
	}
	if err != nil {
		i.state = healed
		return i, i.failed(fmt.Errorf("inject %s on %s: %w", f.Kind(), f.Target(), err))
	}
	if err := i.apply(ctx); err != nil {
		return i, i.failed(fmt.Errorf("inject %s on %s: %w", f.Kind(), f.Target(), err))
	}
	if err := i.confirm(ctx); err != nil {
		return i, i.failed(fmt.Errorf("confirm %s on %s: %w", f.Kind(), f.Target(), err))
	}
	i.hold(ctx)
	return i, nil
}

// failed notes err and makes the injection invalid.
func (i *Injection) failed(err error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.state != healed {
		i.state = invalid
	}
	i.record.Error = err.Error()
	return err
}

// Record returns what is known of the injection so far.
func (i *Injection) Record() history.Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.record
}

func (i *Injection) apply(ctx context.Context) error {
	asks := i.plan.Asks
	if len(asks) == 0 {
		asks = []Ask{{}}
	}
	for _, ask := range asks {
		for _, e := range sample(i.plan.Edges, probeAtMost) {
			i.looks = append(i.looks, Look{Edge: e, Ask: ask})
		}
		for _, e := range i.unfaulted() {
			i.controls = append(i.controls, Look{Edge: e, Ask: ask})
		}
	}
	i.controls = append(i.controls, i.plan.Still...)
	before, err := i.settled(ctx, i.looks)
	if err != nil {
		return fmt.Errorf("probe before: %w", err)
	}
	control, err := i.settled(ctx, i.controls)
	if err != nil {
		return fmt.Errorf("probe control before: %w", err)
	}
	if i.plan.Counters != nil {
		i.figures, _ = i.plan.Counters(ctx) // rules that are not there yet have no counters
	}
	undo, err := i.plan.Apply(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.undo, i.state = undo, applied
	i.before, i.control = before, control
	at := i.clock()
	i.record.AppliedMS = &at
	i.record.Receipt.Probe.Before, i.record.Receipt.Control.Before = before, control
	return err
}

// confirm probes until the fault is seen to bite and the control is not bitten, or the
// time for it is over.
func (i *Injection) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	beat := time.NewTicker(again)
	defer beat.Stop()
	for {
		doubt, err := i.examine(ctx)
		if err == nil && doubt == nil {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.state, i.record.Receipt.Bites, i.record.Receipt.Doubt = active, true, ""
			at := i.clock()
			i.record.ConfirmedMS = &at
			return nil
		}
		if doubt != nil {
			i.mu.Lock()
			i.state, i.record.Receipt.Doubt = active, doubt.Error()
			i.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			if doubt != nil || i.Record().Receipt.Doubt != "" {
				return nil // seen, and seen not to bite
			}
			return errors.Join(err, ctx.Err())
		case <-beat.C:
		}
		if doubt != nil && i.plan.Insist != nil {
			if err := i.plan.Insist(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// examine looks once: doubt says why the fault does not bite, or bites the control.
func (i *Injection) examine(ctx context.Context) (doubt, err error) {
	var figures map[string]uint64
	during, err := i.target.Look(ctx, within(i.looks, DefaultSilence))
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	control, err := i.target.Look(ctx, within(i.controls, answerWithin))
	if err != nil {
		return nil, fmt.Errorf("probe control: %w", err)
	}
	if i.plan.Counters != nil {
		if figures, err = i.plan.Counters(ctx); err != nil {
			return nil, err
		}
	}
	i.mu.Lock()
	receipt := &i.record.Receipt
	receipt.Probe.During, receipt.Control.During = during, control
	receipt.Counters = i.counters(figures, nil)
	i.mu.Unlock()
	return i.judge(during, control, figures), nil
}

func (i *Injection) judge(during, control []history.Reading, figures map[string]uint64) error {
	if i.plan.Bites != nil {
		var missed error
		bitten := 0
		for k, r := range during {
			if err := i.plan.Bites(i.before[k], r); err != nil {
				missed = err
			} else {
				bitten++
			}
		}
		if missed != nil && (!i.plan.Most || 2*bitten <= len(during)) {
			return fmt.Errorf("does not bite: %w", missed)
		}
	}
	if i.plan.Proven != nil {
		if err := i.plan.Proven(i.figures, figures); err != nil {
			return fmt.Errorf("does not bite: %w", err)
		}
	}
	for k, r := range control {
		if !alike(i.control[k], r) {
			return fmt.Errorf("bites the control: %s is %s, was %s", r.Link, r.Outcome, i.control[k].Outcome)
		}
		if k < len(i.controls)-len(i.plan.Still) && i.plan.Bites != nil && i.plan.Bites(i.control[k], r) == nil {
			return fmt.Errorf("bites the control: %s too", r.Link)
		}
	}
	if len(control) == 0 && i.plan.Bites != nil {
		return errors.New("no control: no link of the bed is left unfaulted")
	}
	return nil
}

func (i *Injection) hold(ctx context.Context) {
	if i.plan.Hold == nil || !i.Record().Receipt.Bites {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- i.plan.Hold(ctx) }()
	i.unhold = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
}

// Heal undoes the fault and returns when it was seen to be gone. It runs on a context
// of its own, so that an interrupted scenario heals too. Healing twice is harmless.
func (i *Injection) Heal(ctx context.Context) error {
	i.mu.Lock()
	was := i.state
	i.mu.Unlock()
	if was == healed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healWithin)
	defer cancel()
	held := i.unhold()
	if i.plan.Counters != nil {
		if figures, err := i.plan.Counters(ctx); err == nil { // a flapping fault may be up right now
			i.mu.Lock()
			i.record.Receipt.Counters = i.counters(figures, nil)
			i.mu.Unlock()
		}
	}
	if err := i.undo(ctx); err != nil {
		return i.failed(fmt.Errorf("heal %s on %s: %w", i.fault.Kind(), i.fault.Target(), errors.Join(held, err)))
	}
	i.book.leave(i.Record().ID)
	at := i.clock()
	i.mu.Lock()
	i.state, i.record.HealedMS = healed, &at
	i.mu.Unlock()
	if i.plan.Counters != nil {
		if figures, err := i.plan.Counters(ctx); err == nil {
			i.mu.Lock()
			i.record.Receipt.Counters = i.counters(nil, figures)
			i.mu.Unlock()
		}
	}
	if held != nil { // undone by now, but it was not the fault that was asked for
		return i.failed(fmt.Errorf("hold %s on %s: %w", i.fault.Kind(), i.fault.Target(), held))
	}
	if was != active || !i.Record().Receipt.Bites {
		return nil
	}
	err := i.confirmGone(ctx)
	if errors.Is(err, ErrUnwell) {
		return fmt.Errorf("heal %s on %s: %w", i.fault.Kind(), i.fault.Target(), err)
	}
	if err != nil {
		return i.failed(fmt.Errorf("heal %s on %s: %w", i.fault.Kind(), i.fault.Target(), err))
	}
	return nil
}

// confirmGone probes until no link shows the fault any more.
func (i *Injection) confirmGone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, goneWithin)
	defer cancel()
	beat := time.NewTicker(again)
	defer beat.Stop()
	var still error // of the last look that came to its end
	for {
		seen, err := i.examineGone(ctx)
		if err == nil {
			still = seen
		}
		if err == nil && seen == nil {
			i.mu.Lock()
			i.record.Receipt.Gone = true
			i.mu.Unlock()
			return nil
		}
		select {
		case <-ctx.Done():
			if still == nil {
				return errors.Join(err, ctx.Err())
			}
			i.mu.Lock()
			i.record.Receipt.Unwell = fmt.Sprintf("%v, %s after healing", still, goneWithin)
			i.mu.Unlock()
			return fmt.Errorf("%w: %w", ErrUnwell, still)
		case <-beat.C:
		}
	}
}

func (i *Injection) examineGone(ctx context.Context) (still, err error) {
	after, err := i.target.Look(ctx, within(i.looks, answerWithin))
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	control, err := i.target.Look(ctx, within(i.controls, answerWithin))
	if err != nil {
		return nil, fmt.Errorf("probe control: %w", err)
	}
	i.mu.Lock()
	i.record.Receipt.Probe.After, i.record.Receipt.Control.After = after, control
	i.mu.Unlock()
	for k, r := range after {
		if i.plan.Bites != nil && i.plan.Bites(i.before[k], r) == nil {
			return fmt.Errorf("%s is %s", r.Link, r.Outcome), nil
		}
		if !alike(i.before[k], r) && r.Outcome != agent.OutcomeOK && !i.book.disturbed(i.looks[k].Edge) {
			return fmt.Errorf("%s is %s, was %s before the fault", r.Link, r.Outcome, i.before[k].Outcome), nil
		}
	}
	for k, r := range control {
		if !alike(i.control[k], r) && r.Outcome != agent.OutcomeOK && !i.book.disturbed(i.controls[k].Edge) {
			return fmt.Errorf("control %s is %s, was %s before the fault", r.Link, r.Outcome, i.control[k].Outcome), nil
		}
	}
	if i.plan.Counters != nil && i.plan.Bites == nil {
		figures, err := i.plan.Counters(ctx)
		if err != nil {
			return nil, err
		}
		if i.plan.Proven(i.figures, figures) == nil {
			return fmt.Errorf("figures are still %v", figures), nil
		}
	}
	return nil, nil
}

// within gives looks a deadline of at least timeout, and at least the silence that
// their questions allow.
func within(looks []Look, timeout time.Duration) []Look {
	timed := slices.Clone(looks)
	for k := range timed {
		timed[k].Timeout = max(timeout, timed[k].Ask.Silence)
	}
	return timed
}

// unfaulted picks control links near the fault: another port between the same two
// nodes, the same client to others, others to the same server, and the rest. What hits
// one of these too is more than the fault that was asked for.
func (i *Injection) unfaulted() []Edge {
	type pair struct{ client, server string }
	affected, pairs := map[Edge]bool{}, map[pair]bool{}
	clients, servers := map[string]bool{}, map[string]bool{}
	for _, e := range i.plan.Affected {
		affected[e], pairs[pair{e.Client, e.Server}] = true, true
		clients[e.Client], servers[e.Server] = true, true
	}
	var near [4][]Edge
	for _, e := range i.target.Edges() {
		switch {
		case affected[e]:
		case pairs[pair{e.Client, e.Server}]:
			near[0] = append(near[0], e)
		case clients[e.Client]:
			near[1] = append(near[1], e)
		case servers[e.Server]:
			near[2] = append(near[2], e)
		default:
			near[3] = append(near[3], e)
		}
	}
	var controls []Edge
	for _, edges := range near[:3] {
		controls = append(controls, sample(edges, 1)...)
	}
	rest := slices.DeleteFunc(slices.Concat(near[:]...), func(e Edge) bool { return slices.Contains(controls, e) })
	return append(controls, sample(rest, controlAtMost-len(controls))...)
}

// sample picks at most n edges, evenly spread.
func sample(edges []Edge, n int) []Edge {
	if len(edges) <= n {
		return slices.Clone(edges)
	}
	picked := make([]Edge, n)
	for k := range picked {
		picked[k] = edges[(2*k+1)*len(edges)/(2*n)]
	}
	return picked
}

// counters adds figures to those of the receipt. What was caught while the fault was on
// stays, also when a flapping fault is up, and has nothing, at the moment of looking.
// The caller holds mu.
func (i *Injection) counters(during, after map[string]uint64) []history.Counter {
	known := map[string]history.Counter{}
	for _, c := range i.record.Receipt.Counters {
		known[c.Name] = c
	}
	for name, n := range during {
		c, seen := known[name]
		if !seen || n > 0 {
			known[name] = history.Counter{Name: name, Before: i.figures[name], During: n, After: c.After}
		}
	}
	for name, n := range after {
		c := known[name]
		c.Name, c.After = name, n
		known[name] = c
	}
	list := slices.Collect(maps.Values(known))
	slices.SortFunc(list, func(a, b history.Counter) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// settled looks until all links answer, or two looks in a row see the same, or the time
// for an answer is over: one slow answer before the fault must not spoil the proof.
func (i *Injection) settled(ctx context.Context, looks []Look) ([]history.Reading, error) {
	over := time.Now().Add(answerWithin)
	var last []history.Reading
	for {
		now, err := i.target.Look(ctx, within(looks, answerWithin))
		if err != nil {
			return nil, err
		}
		fine := !slices.ContainsFunc(now, func(r history.Reading) bool { return r.Outcome != agent.OutcomeOK })
		if fine || last != nil && slices.EqualFunc(last, now, alike) || time.Now().After(over) {
			return now, nil
		}
		last = now
	}
}

// alike says whether two readings of a link mean the same. Where nobody listens behind
// the proxy its hanging up reaches the client as an end or as a reset, as it happens.
func alike(a, b history.Reading) bool {
	hungUp := func(r history.Reading) bool {
		return r.Outcome == agent.OutcomeClosed || r.Outcome == agent.OutcomeReset
	}
	return a.Outcome == b.Outcome || hungUp(a) && hungUp(b)
}
