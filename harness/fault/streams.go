package fault

import (
	"context"
	"fmt"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// What faults on byte streams have in common: each is a toxic of the link's proxy, on one
// stream or both. They act on open connections, too, unless they say otherwise.

// streamPlan completes a plan for toxics that are put on every selected link. Only links
// that can be asked what the plan asks show the fault.
func streamPlan(t Target, links Links, d Direction, id string, effect func(toxic.Stream) toxic.Toxic, plan Plan) (Plan, error) {
	edges, err := selected(t, links)
	if err == nil {
		err = d.check()
	}
	if err != nil {
		return Plan{}, err
	}
	plan.Affected, plan.Edges = edges, asked(t, edges, plan.Asks...)
	if d.up() { // one that talks may do so before it is asked
		plan.Edges = slices.DeleteFunc(plan.Edges, func(e Edge) bool { return t.Speaks(e).Protocol == "tcp" })
	}
	if len(plan.Edges) == 0 {
		return Plan{}, fmt.Errorf("no server on %s gives such an answer as would show the fault", links)
	}
	toxics := map[string]toxic.Toxic{} // by name
	if d.up() {
		toxics[id+"-up"] = effect(toxic.Upstream)
	}
	if d.down() {
		toxics[id] = effect(toxic.Downstream)
	}
	plan.Apply = func(ctx context.Context) (Undo, error) {
		var undos stack
		for _, e := range edges {
			for name, one := range toxics {
				undos.push(once(func(ctx context.Context) error { return t.Streams().Remove(ctx, e.String(), name) }))
				if err := t.Streams().Add(ctx, e.String(), name, one); err != nil {
					return undos.undo, err
				}
			}
		}
		return undos.undo, nil
	}
	return plan, nil
}

// ways is how many of a round trip's two directions are meant.
func (d Direction) ways() float64 {
	if d == Both {
		return 2
	}
	return 1
}

// cutAfter is Bites for faults that end a connection after so many bytes, or silence it.
func cutAfter(bytes int64, outcome string) func(Sight) error {
	return func(s Sight) error {
		if s.Before.Outcome != agent.OutcomeOK {
			return fmt.Errorf("%s was %s already before", s.Before.Link, s.Before.Outcome)
		}
		ended := s.During.Outcome == outcome || outcome == agent.OutcomeClosed && s.During.Outcome == agent.OutcomeReset
		if !ended || s.During.Bytes > bytes || s.During.Bytes == 0 && outcome != agent.OutcomeReset {
			return fmt.Errorf("%s is %s after %d bytes, not %s after %d", s.During.Link, s.During.Outcome, s.During.Bytes, outcome, bytes)
		}
		return nil
	}
}
