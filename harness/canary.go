package harness

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
)

// Canary runs a scenario that must not pass, and returns the verdict it would have
// had: it shows that the bed can say no. Inside run, assertions go to its own tb:
//
//	verdict, reason := harness.Canary(GinkgoTB(), func(tb testing.TB) {
//		bed := harness.Start(ctx, tb, topology.Small())
//		bed.Inject(ctx, fault.Noop{Of: ...})
//	})
func Canary(tb testing.TB, run func(tb testing.TB)) (history.Verdict, string) {
	tb.Helper()
	r := &recordingTB{TB: tb, name: tb.Name()}
	verdict, reason := r.judged(run)
	if r.history != nil && current != nil {
		h := *r.history
		h.Canary, h.Failure = verdict, "" // what failed inside was meant to
		current.finish(&h)
	}
	return verdict, reason
}

// Crash ends a node behind the back of all that watches over faults, as if it had died
// by itself: a canary in which that happens must say so.
func (b *Bed) Crash(ctx context.Context, n topology.Node) {
	b.tb.Helper()
	b.step("crash " + n.Name)
	if err := b.session.Engine.Kill(ctx, b.Container(n.Name)); err != nil {
		b.infra(fmt.Errorf("crash %s: %w", n.Name, err))
	}
}

// Alone runs a function that lays beds where there is no test, with a testing.TB that
// ends with it, and returns the verdict over its last bed. Evidence is kept under name.
func Alone(name string, run func(tb testing.TB)) (history.Verdict, string) {
	return (&recordingTB{TB: silentTB{}, name: name}).judged(run)
}

// WalkAround lets a node ask its swarm for a file that another has, at a port that no link
// leads to: whoever fetches it, a seed or the node itself, makes a connection between two
// nodes that is not steered.
func (b *Bed) WalkAround(ctx context.Context, from, to topology.Node) {
	b.tb.Helper()
	const discard, soon = 9, 3 * time.Second // RFC 863: nobody listens
	b.step(fmt.Sprintf("%s walks around its link to %s", from.Name, to.Name))
	address, _ := b.Where(to)
	cmd := b.session.System.Download(fmt.Sprintf("http://%s:%d/file", address, discard), "/walked", strings.Repeat("0", 64), soon)
	ctx, cancel := context.WithTimeout(ctx, 2*soon)
	defer cancel()
	// That it fails is no matter: somebody has dialled.
	if _, _, _, err := b.session.Engine.Exec(ctx, b.Container(from.Name), cmd); err != nil {
		b.infra(fmt.Errorf("walk around a link: %w", err))
	}
}

// silentTB is the TB below a recordingTB that has none of a test: nothing but Logf is
// ever asked of it.
type silentTB struct{ testing.TB }

func (silentTB) Logf(string, ...any) {}

// judged runs a function and its cleanups, and returns the verdict over its last bed.
func (r *recordingTB) judged(run func(tb testing.TB)) (history.Verdict, string) {
	r.do(func() { run(r) })
	for len(r.cleanups) > 0 { // last first; a cleanup may add others
		last := len(r.cleanups) - 1
		cleanup := r.cleanups[last]
		r.cleanups = slices.Delete(r.cleanups, last, last+1)
		r.do(cleanup)
	}
	var h history.History
	if r.history != nil {
		h = *r.history
	}
	if r.failure != "" {
		h.Failure = r.failure
	}
	if r.panicked != nil {
		h.Trouble = append(h.Trouble, fmt.Sprintf("panic: %v", r.panicked))
	}
	return judge.Verdict(h)
}

// recordingTB keeps failures to itself.
type recordingTB struct {
	testing.TB
	name     string
	failure  string
	failed   bool
	panicked any
	cleanups []func()
	history  *history.History
}

// do runs f to its end, or to its first fatal failure.
func (r *recordingTB) do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil && r.panicked == nil {
				r.panicked = p
			}
		}()
		f()
	}()
	<-done
}

func (r *recordingTB) fail(text string) {
	r.failed = true
	if r.failure == "" {
		r.failure = text
	}
}

// Skipf ends the function: what cannot be injected is in its bed's history.
func (r *recordingTB) Skipf(string, ...any)         { runtime.Goexit() }
func (r *recordingTB) Helper()                      {}
func (r *recordingTB) Failed() bool                 { return r.failed }
func (r *recordingTB) Fail()                        { r.fail("failed") }
func (r *recordingTB) FailNow()                     { r.fail("failed"); runtime.Goexit() }
func (r *recordingTB) Error(args ...any)            { r.fail(fmt.Sprint(args...)) }
func (r *recordingTB) Errorf(f string, args ...any) { r.fail(fmt.Sprintf(f, args...)) }
func (r *recordingTB) Fatal(args ...any)            { r.fail(fmt.Sprint(args...)); runtime.Goexit() }

func (r *recordingTB) Fatalf(f string, args ...any) {
	r.fail(fmt.Sprintf(f, args...))
	runtime.Goexit()
}
func (r *recordingTB) Cleanup(f func())                { r.cleanups = append(r.cleanups, f) }
func (r *recordingTB) Name() string                    { return r.name }
func (r *recordingTB) Logf(format string, args ...any) { r.TB.Logf(format, args...) }
