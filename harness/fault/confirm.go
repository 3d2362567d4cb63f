package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
)

// confirm probes until the fault is seen to bite and the control is not bitten, or the
// time for it is over.
func (i *Injection) confirm(ctx context.Context) error {
	limit, start := confirmWithin, time.Now()
	if i.plan.Insist != nil {
		limit = insistWithin
	}
	for _, l := range slices.Concat(i.looks, i.controls) {
		limit = max(limit, 2*l.Ask.Silence+time.Second) // one look, and one more
	}
	// Where nothing but the probes tells, one look may be a moment in which the machine was
	// busy with something else.
	once, wanted := 0, 1
	if i.plan.Counters == nil {
		wanted = 2
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	beat := time.NewTicker(again)
	defer beat.Stop()
	for {
		doubt, err := i.examine(ctx)
		if err == nil && doubt == nil {
			once++
		} else {
			once = 0
		}
		if once == wanted {
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
		if doubt != nil && i.plan.patience > 0 && time.Since(start) > i.plan.patience {
			return nil
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
	var figures, spared map[string]uint64
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
	if i.plan.Spared != nil {
		if spared, err = i.plan.Spared(ctx); err != nil {
			return nil, err
		}
	}
	i.mu.Lock()
	receipt := &i.record.Receipt
	receipt.Probe.During, receipt.Control.During = during, control
	receipt.Counters = i.counters(figures, nil)
	i.mu.Unlock()
	return both(i.judge(during, figures), i.judgeControl(control, spared)), nil
}

// both puts two doubts into one line.
func both(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return fmt.Errorf("%w; %w", a, b)
}

// judge says why the fault was not seen to bite.
func (i *Injection) judge(during []history.Reading, figures map[string]uint64) error {
	if i.plan.Bites != nil {
		var missed error
		bitten := 0
		for k, r := range during {
			if err := i.plan.Bites(Sight{i.looks[k].Ask, i.before[k], r}); err != nil {
				missed = err
			} else {
				bitten++
			}
		}
		if missed != nil && (!i.plan.Most || 2*bitten <= len(during)) {
			return fmt.Errorf("does not bite: %w", missed)
		}
		if len(during) == 0 {
			return errors.New("does not bite: no link to see it on")
		}
	}
	if i.plan.Proven != nil {
		if err := i.plan.Proven(i.figures, figures); err != nil {
			return fmt.Errorf("does not bite: %w", err)
		}
	}
	return nil
}

// judgeControl says what the fault did to what it should have spared.
func (i *Injection) judgeControl(control []history.Reading, spared map[string]uint64) error {
	for k, r := range control {
		sight := Sight{i.controls[k].Ask, i.control[k], r}
		still := k >= len(i.controls)-len(i.plan.Still)
		if i.plan.Untouched != nil && !still {
			if err := i.plan.Untouched(sight); err != nil {
				return fmt.Errorf("bites the control: %w", err)
			}
			continue
		}
		if !alike(i.control[k], r) {
			return fmt.Errorf("bites the control: %s is %s, was %s", r.Link, r.Outcome, i.control[k].Outcome)
		}
		if !still && i.plan.Bites != nil && i.plan.Bites(sight) == nil {
			return fmt.Errorf("bites the control: %s too", r.Link)
		}
	}
	if i.plan.Bites != nil && !slices.ContainsFunc(i.control[:len(i.control)-len(i.plan.Still)], speaks) {
		return errors.New("no control: no link of the bed is left unfaulted, or none of them was heard of before")
	}
	for _, name := range slices.Sorted(maps.Keys(i.spared)) {
		if spared[name] != i.spared[name] {
			return fmt.Errorf("bites the control: %s is %d, was %d", name, spared[name], i.spared[name])
		}
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
		if errors.Is(err, agent.ErrGone) {
			return err // nobody can look any more
		}
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
		if i.book.disturbed(i.target, i.looks[k].Edge) {
			continue // what is seen there may be another's doing
		}
		if i.plan.Bites != nil && i.plan.Bites(Sight{i.looks[k].Ask, i.before[k], r}) == nil {
			return fmt.Errorf("%s is %s", r.Link, r.Outcome), nil
		}
		if !alike(i.before[k], r) && r.Outcome != agent.OutcomeOK {
			return fmt.Errorf("%s is %s, was %s before the fault", r.Link, r.Outcome, i.before[k].Outcome), nil
		}
	}
	for k, r := range control {
		if !alike(i.control[k], r) && r.Outcome != agent.OutcomeOK && !i.book.disturbed(i.target, i.controls[k].Edge) {
			return fmt.Errorf("control %s is %s, was %s before the fault", r.Link, r.Outcome, i.control[k].Outcome), nil
		}
	}
	if i.plan.Counters != nil && i.plan.Bites == nil && !i.plan.Lasts {
		figures, err := i.plan.Counters(ctx)
		if errors.Is(err, agent.ErrNodeGone) {
			return nil, nil // with its node
		}
		if err != nil {
			return nil, err
		}
		if i.plan.Proven(i.figures, figures) == nil {
			return fmt.Errorf("figures are still %v", figures), nil
		}
	}
	return nil, nil
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

// speaks says whether a link was heard of at all, be it that a proxy has hung up because
// nobody listens behind it yet. One that was silent already could show nothing.
func speaks(r history.Reading) bool {
	return r.Outcome != agent.OutcomeTimeout && r.Outcome != agent.OutcomeError
}

// alike says whether two readings of a link mean the same. Where nobody listens behind
// the proxy its hanging up reaches the client as an end or as a reset, as it happens.
func alike(a, b history.Reading) bool {
	hungUp := func(r history.Reading) bool {
		return r.Outcome == agent.OutcomeClosed || r.Outcome == agent.OutcomeReset
	}
	return a.Outcome == b.Outcome || hungUp(a) && hungUp(b)
}
