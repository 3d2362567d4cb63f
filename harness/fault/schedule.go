package fault

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Timetables put another fault in force for a while, again and again, or step by step.
// Each is data around data: Flap{Of: Drop{...}, Period: time.Second, Duty: 0.5}.

// Once is a fault that goes by itself.
type Once struct {
	Of  Fault
	For time.Duration
}

// Kind implements Fault.
func (o Once) Kind() string { return "once-" + o.Of.Kind() }

// Target implements Fault.
func (o Once) Target() string { return fmt.Sprintf("%s, for %s", o.Of.Target(), o.For) }

func (o Once) effect() Fault { return o.Of }

// Plan implements Fault.
func (o Once) Plan(t Target, id string) (Plan, error) {
	if o.For <= 0 {
		return Plan{}, fmt.Errorf("for %s: must be positive", o.For)
	}
	plan, err := still(o.Of, t, id)
	if err != nil {
		return Plan{}, err
	}
	turns := newSwitch(&plan)
	plan.Hold = func(ctx context.Context, note func(string)) error {
		if !pass(ctx, o.For) {
			return nil
		}
		note("over")
		return finish(ctx, turns.off)
	}
	return plan, nil
}

// Flap puts a fault on and off again: in each Period it is in force for a share of Duty.
// It begins in force, and is confirmed then.
type Flap struct {
	Of     Fault
	Period time.Duration
	Duty   float64 // more than 0, less than 1
}

// Kind implements Fault.
func (f Flap) Kind() string { return "flap-" + f.Of.Kind() }

// Target implements Fault.
func (f Flap) Target() string {
	return fmt.Sprintf("%s, %g %% of every %s", f.Of.Target(), 100*f.Duty, f.Period)
}

func (f Flap) effect() Fault { return f.Of }

// Plan implements Fault.
func (f Flap) Plan(t Target, id string) (Plan, error) {
	on := time.Duration(f.Duty * float64(f.Period))
	if on <= 0 || on >= f.Period {
		return Plan{}, fmt.Errorf("%g of every %s: the period must be positive, the duty between 0 and 1", f.Duty, f.Period)
	}
	plan, err := still(f.Of, t, id)
	if err != nil {
		return Plan{}, err
	}
	turns := newSwitch(&plan)
	plan.Hold = func(ctx context.Context, note func(string)) error {
		for {
			if !pass(ctx, on) {
				return nil
			}
			note("off")
			if err := finish(ctx, turns.off); err != nil {
				return fmt.Errorf("flap off: %w", err)
			}
			if !pass(ctx, f.Period-on) {
				return nil
			}
			note("on")
			if err := finish(ctx, turns.on); err != nil {
				return fmt.Errorf("flap on: %w", err)
			}
		}
	}
	return plan, nil
}

// Ramp goes through faults of one kind, each in force for Every, and stays at the last:
// a delay that grows, a loss that gets worse. The first is the one that is confirmed.
type Ramp struct {
	Steps []Fault
	Every time.Duration
}

// Kind implements Fault.
func (r Ramp) Kind() string {
	if len(r.Steps) == 0 {
		return "ramp"
	}
	return "ramp-" + r.Steps[0].Kind()
}

// Target implements Fault.
func (r Ramp) Target() string {
	words := make([]string, len(r.Steps))
	for i, s := range r.Steps {
		words[i] = s.Target()
	}
	return fmt.Sprintf("%s, %s each", strings.Join(words, ", then "), r.Every)
}

func (r Ramp) effect() Fault { return r.Steps[0] }

// Plan implements Fault.
func (r Ramp) Plan(t Target, id string) (Plan, error) {
	if len(r.Steps) < 2 || r.Every <= 0 {
		return Plan{}, fmt.Errorf("%d steps, each %s: use two or more, and a positive time", len(r.Steps), r.Every)
	}
	plans := make([]Plan, len(r.Steps))
	for i, step := range r.Steps {
		if step.Kind() != r.Steps[0].Kind() {
			return Plan{}, fmt.Errorf("step %d is a %s among %s: use one kind", i+1, step.Kind(), r.Steps[0].Kind())
		}
		var err error
		if plans[i], err = still(step, t, id); err != nil {
			return Plan{}, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	plan := plans[0]
	for _, later := range plans[1:] {
		plan.Needs = append(plan.Needs[:len(plan.Needs):len(plan.Needs)], later.Needs...)
		plan.Affected = append(plan.Affected[:len(plan.Affected):len(plan.Affected)], later.Affected...)
	}
	turns := newSwitch(&plan)
	plan.Hold = func(ctx context.Context, note func(string)) error {
		for i := range plans[1:] {
			if !pass(ctx, r.Every) {
				return nil
			}
			note(r.Steps[i+1].Target())
			err := finish(ctx, turns.off)
			if err == nil {
				turns.apply = plans[i+1].Apply
				err = finish(ctx, turns.on)
			}
			if err != nil {
				return fmt.Errorf("step %d: %w", i+2, err)
			}
		}
		return nil
	}
	return plan, nil
}

// still plans a fault that has no timetable of its own: two would not know of each other.
func still(f Fault, t Target, id string) (Plan, error) {
	plan, err := f.Plan(t, id)
	if err == nil && plan.Hold != nil {
		err = fmt.Errorf("%s has a timetable already: use one", f.Kind())
	}
	return plan, err
}

// turning is a plan's effect with a switch. Hold and the undo of the plan never run at
// once: Inject ends Hold before it heals.
type turning struct {
	apply func(context.Context) (Undo, error)
	undo  Undo
}

// newSwitch puts a switch behind the plan's Apply and Undo.
func newSwitch(plan *Plan) *turning {
	t := &turning{apply: plan.Apply, undo: nothing}
	plan.Apply = func(ctx context.Context) (Undo, error) {
		err := t.on(ctx)
		return func(ctx context.Context) error { return t.undo(ctx) }, err
	}
	return t
}

func (t *turning) on(ctx context.Context) (err error) {
	t.undo, err = t.apply(ctx)
	return err
}

func (t *turning) off(ctx context.Context) error { return t.undo(ctx) }

// finish makes a change to its end, though ctx may have ended: what is in force must be
// known.
func finish(ctx context.Context, change func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healWithin)
	defer cancel()
	return change(ctx)
}

// pass waits and says whether the time has passed; else ctx has ended.
func pass(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
