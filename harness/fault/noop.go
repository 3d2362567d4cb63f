package fault

import (
	"context"
	"fmt"
	"time"
)

// Noop is a fault with its effect left out: it promises all that Of promises and does
// nothing. Every run with one must end INCONCLUSIVE; that is how the proof is proved.
type Noop struct {
	Of Fault
}

// Kind implements Fault.
func (n Noop) Kind() string { return "noop-" + n.Of.Kind() }

// Target implements Fault.
func (n Noop) Target() string { return n.Of.Target() }

// Plan implements Fault.
func (n Noop) Plan(t Target, id string) (Plan, error) {
	plan, err := n.Of.Plan(t, id)
	plan.Apply = func(context.Context) (Undo, error) {
		return func(context.Context) error { return nil }, nil
	}
	plan.Insist = nil
	return plan, err
}

// Flap puts a fault on and off again: Down while it is in force, Up while it is not.
// It begins down, and is confirmed then.
type Flap struct {
	Of       Fault
	Down, Up time.Duration
}

// Kind implements Fault.
func (f Flap) Kind() string { return "flap-" + f.Of.Kind() }

// Target implements Fault.
func (f Flap) Target() string { return fmt.Sprintf("%s, down %s, up %s", f.Of.Target(), f.Down, f.Up) }

// Plan implements Fault.
func (f Flap) Plan(t Target, id string) (Plan, error) {
	if f.Down <= 0 || f.Up <= 0 {
		return Plan{}, fmt.Errorf("down %s, up %s: both must be positive", f.Down, f.Up)
	}
	plan, err := f.Of.Plan(t, id)
	if err != nil {
		return Plan{}, err
	}
	put := plan.Apply
	undo := Undo(func(context.Context) error { return nil })
	plan.Apply = func(ctx context.Context) (Undo, error) {
		var err error
		undo, err = put(ctx)
		return func(ctx context.Context) error { return undo(ctx) }, err
	}
	// Hold and the undo above never run at once: Inject ends Hold before it heals.
	plan.Hold = func(ctx context.Context) error {
		down, beat := true, time.NewTimer(f.Down)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-beat.C:
			}
			act := context.WithoutCancel(ctx) // a change begun is finished: what is in force must be known
			if down {
				if err := undo(act); err != nil {
					return fmt.Errorf("flap up: %w", err)
				}
				beat.Reset(f.Up)
			} else {
				var err error
				if undo, err = put(act); err != nil {
					return fmt.Errorf("flap down: %w", err)
				}
				beat.Reset(f.Down)
			}
			down = !down
		}
	}
	return plan, nil
}
