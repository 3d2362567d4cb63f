package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

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
	insistWithin   = 15 * time.Second // the same, for a target that moves
	goneWithin     = 15 * time.Second // from healed to seen well: a killed node has to start
	healWithin     = 30 * time.Second // for the undo itself, on a context of its own
	again          = 50 * time.Millisecond
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
	spared   map[string]uint64
	undo     Undo
	unhold   func(context.Context) error
}

// ErrUnwell says that a fault was undone and what it had hit is still not well: either
// the system did not recover, or the undo was none, which the audit of the namespaces
// finds.
var ErrUnwell = errors.New("not well again")

// Inject puts f in force on t and returns when it was seen to bite, or was not. clock
// gives the bed's time in milliseconds. The injection is never nil when err is nil or
// when something may have been applied: heal it in any case. A fault that did not bite
// is no error; see Record. One that cannot be injected here is ErrUnavailable, and
// nothing was changed.
func Inject(ctx context.Context, t Target, f Fault, book *Book, clock func() int64) (*Injection, error) {
	plan, id, err := book.enter(f, t)
	i := &Injection{
		fault: f, plan: plan, target: t, clock: clock, book: book,
		undo:   nothing,
		unhold: func(context.Context) error { return nil },
		record: history.Fault{ID: id, Kind: f.Kind(), Target: f.Target()},
	}
	i.record.Receipt.Mechanism = plan.Mechanism
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

// available says what a plan needs and the target lacks.
func available(t Target, p Plan) error {
	var missing []string
	for _, need := range p.Needs {
		if reason := t.Lacks(need); reason != "" {
			missing = append(missing, need+" ("+reason+")")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the kernel lacks %s", ErrUnavailable, strings.Join(missing, ", "))
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
	i.aim()
	before, err := i.settled(ctx, i.looks)
	if err != nil {
		return fmt.Errorf("probe before: %w", err)
	}
	control, err := i.settled(ctx, i.controls)
	if err != nil {
		return fmt.Errorf("probe control before: %w", err)
	}
	if i.plan.Counters != nil { // of rules that are not there yet there are none
		if i.figures, err = i.plan.Counters(ctx); err != nil {
			return fmt.Errorf("read figures before: %w", err)
		}
	}
	if i.plan.Spared != nil {
		if i.spared, err = i.plan.Spared(ctx); err != nil {
			return fmt.Errorf("read what is to be spared: %w", err)
		}
	}
	undo, err := i.plan.Apply(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.undo, i.state = undo, applied
	i.book.applied(i)
	i.before, i.control = before, control
	at := i.clock()
	i.record.AppliedMS = &at
	i.record.Receipt.Probe.Before, i.record.Receipt.Control.Before = before, control
	return err
}

func (i *Injection) hold(ctx context.Context) {
	if i.plan.Hold == nil || !i.Record().Receipt.Bites {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- i.plan.Hold(ctx, i.note) }()
	i.unhold = func(ctx context.Context) error {
		cancel()
		select {
		case err := <-done:
			i.unhold = func(context.Context) error { return err }
			return err
		case <-ctx.Done():
			return fmt.Errorf("a change that has begun does not end: %w", ctx.Err())
		}
	}
}

// lost records that a node was started anew under the fault.
func (i *Injection) lost(node string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.state != healed && i.record.Error == "" {
		i.record.Error = fmt.Sprintf("%s was started anew, without what was done to it before", node)
	}
}

// note records that a fault that changes over time has changed.
func (i *Injection) note(phase string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.record.Phases = append(i.record.Phases, history.Step{AtMS: i.clock(), Text: phase})
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
	detached := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(detached, healWithin)
	defer cancel()
	held := i.unhold(ctx)
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
	err := i.confirmGone(detached)
	if errors.Is(err, ErrUnwell) {
		return fmt.Errorf("heal %s on %s: %w", i.fault.Kind(), i.fault.Target(), err)
	}
	if err != nil {
		return i.failed(fmt.Errorf("heal %s on %s: %w", i.fault.Kind(), i.fault.Target(), err))
	}
	return nil
}
