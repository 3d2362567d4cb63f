package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
)

// Injection is a fault in force on a bed.
type Injection struct {
	bed       *Bed
	injection *fault.Injection
}

// Inject puts a fault in force and returns when it was seen to bite. A fault that does
// not bite, or bites links that it should not, ends the spec as INCONCLUSIVE. What is
// not healed by the scenario is healed when the bed is put away. A fault that cannot be
// injected here ends it as not applicable.
func (b *Bed) Inject(ctx context.Context, f fault.Fault) *Injection {
	b.tb.Helper()
	what := f.Kind() + " on " + f.Target()
	b.step("inject " + what)
	b.note(Injecting, false, what)
	defer b.note(Injecting, true, what)
	b.mu.Lock()
	b.since = time.Now()
	b.mu.Unlock()
	defer b.spend(&b.history.Spent.ProofMS, time.Now())
	ctx, release := b.session.unlessLost(ctx)
	defer release()
	injection, err := fault.Inject(ctx, b, f, b.book, b.now)
	i := &Injection{b, injection}
	b.mu.Lock()
	b.injections = append(b.injections, i)
	b.mu.Unlock()
	if errors.Is(err, fault.ErrUnavailable) {
		b.mu.Lock()
		b.history.Unavailable = err.Error()
		b.injections = slices.DeleteFunc(b.injections, func(other *Injection) bool { return other == i }) // it never was
		b.mu.Unlock()
		b.tb.Skipf("%v", err)
	}
	if err != nil && b.session.lostBecause() != nil {
		b.infra(err)
	}
	if err != nil {
		b.tb.Fatalf("%s: %v", history.Inconclusive, err)
	}
	if r := injection.Record().Receipt; !r.Bites {
		b.tb.Fatalf("%s: fault %s on %s %s", history.Inconclusive, f.Kind(), f.Target(), r.Doubt)
	}
	return i
}

// Heal undoes the fault and returns when it was seen to be gone. A node that died by
// itself meanwhile is no failure of healing: the verdict names it.
func (i *Injection) Heal(ctx context.Context) {
	i.bed.tb.Helper()
	r := i.injection.Record()
	i.bed.step("heal " + r.Kind + " on " + r.Target)
	err := i.heal(ctx)
	if err != nil && i.bed.session.lostBecause() != nil {
		i.bed.infra(err)
	}
	if err != nil && len(i.bed.died(ctx)) > 0 {
		return // what lay on the dead is gone with them, and nobody there is well again
	}
	if errors.Is(err, fault.ErrUnwell) {
		i.bed.tb.Fatalf("%v", err) // the system's doing, see fault.ErrUnwell
	}
	if err != nil {
		i.bed.tb.Fatalf("%s: %v", history.Inconclusive, err)
	}
}

// Try puts a fault in force, heals it, and says how a scenario of this fault alone would
// end. It is no part of the bed's own history, and faults may be tried side by side.
func (b *Bed) Try(ctx context.Context, f fault.Fault) (history.Verdict, string) {
	b.step("try " + f.Kind() + " on " + f.Target())
	injection, err := fault.Inject(ctx, b, f, b.book, b.now)
	h := history.History{Started: b.start}
	if errors.Is(err, fault.ErrUnavailable) {
		h.Unavailable = err.Error()
	} else {
		_ = injection.Heal(ctx) // an error is in the injection's record, where the judge finds it
		h.Faults = []history.Fault{injection.Record()}
	}
	verdict, reason := judge.Verdict(h)
	b.step(fmt.Sprintf("tried %s: %s %s", f.Kind(), verdict, reason))
	return verdict, reason
}

// heal undoes the fault, if that was not done before.
func (i *Injection) heal(ctx context.Context) error {
	defer i.bed.spend(&i.bed.history.Spent.ProofMS, time.Now())
	if r := i.injection.Record(); r.HealedMS == nil {
		what := r.Kind + " on " + r.Target
		i.bed.note(Healing, false, what)
		defer i.bed.note(Healing, true, what)
	}
	return i.injection.Heal(ctx)
}

// Receipt is the proof so far.
func (i *Injection) Receipt() history.Receipt { return i.injection.Record().Receipt }

func (b *Bed) step(text string) {
	b.tb.Logf("%8.3f s  %s", float64(b.now())/1000, text)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.history.Steps = append(b.history.Steps, history.Step{AtMS: b.now(), Text: text})
}
