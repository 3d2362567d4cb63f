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
	plan.Apply = func(context.Context) (Undo, error) { return nothing, nil }
	plan.Insist, plan.Hold = nil, nil
	return plan, err
}

// Spill is a fault that hits more than it says: it promises what Of promises, and does
// what all of Over does. Every run with one must end INCONCLUSIVE, because of the control.
type Spill struct {
	Of   Fault
	Over []Fault
}

// Kind implements Fault.
func (s Spill) Kind() string { return "spill-" + s.Of.Kind() }

// Target implements Fault.
func (s Spill) Target() string {
	words := s.Of.Target() + ", in truth"
	for _, over := range s.Over {
		words += " " + over.Kind() + " on " + over.Target()
	}
	return words
}

// Plan implements Fault.
func (s Spill) Plan(t Target, id string) (Plan, error) {
	plan, err := s.Of.Plan(t, id)
	if err != nil {
		return Plan{}, err
	}
	applies := make([]func(context.Context) (Undo, error), len(s.Over))
	for i, over := range s.Over {
		owner := id // the first is counted under the name of what was promised
		if i > 0 {
			owner = fmt.Sprintf("%s-%d", id, i)
		}
		effect, err := over.Plan(t, owner)
		if err != nil {
			return Plan{}, err
		}
		applies[i] = effect.Apply
		if i > 0 {
			continue
		}
		plan.Insist, plan.Hold = effect.Insist, nil
		if plan.Spared == nil { // what is counted under an owner's name is what is done
			plan.Counters, plan.Proven = effect.Counters, effect.Proven
		}
	}
	if plan.Insist == nil {
		plan.patience = time.Second // each look would see too much
	}
	plan.Apply = func(ctx context.Context) (Undo, error) {
		var undos stack
		for _, apply := range applies {
			undo, err := apply(ctx)
			undos.push(undo)
			if err != nil {
				return undos.undo, err
			}
		}
		return undos.undo, nil
	}
	return plan, nil
}
