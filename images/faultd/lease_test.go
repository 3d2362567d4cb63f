//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
)

func TestLeaseRunsOutOnlyWhenNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := newLease(10*time.Second, 5*time.Second)
		beat := time.NewTicker(4 * time.Second)
		defer beat.Stop()
		for range 6 {
			<-beat.C
			if !l.Renew() {
				t.Fatalf("ran out after %s, renewed every 4 s", time.Since(start))
			}
		}
		<-l.Expired()
		if got := time.Since(start); got != 29*time.Second {
			t.Errorf("ran out after %s, want 24 s of renewals and 5 s", got)
		}
		if l.Renew() || !l.Over() {
			t.Error("renewed after it had run out")
		}
	})
}

func TestLeaseIsShorterAfterTheFirstBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := newLease(10*time.Second, 5*time.Second)
		<-time.After(time.Second)
		l.Renew()
		<-l.Expired()
		if got := time.Since(start); got != 6*time.Second {
			t.Errorf("ran out after %s, want 6 s", got)
		}
	})
}

func TestLeaseAllowsMoreForTheFirstBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		<-newLease(10*time.Second, 5*time.Second).Expired()
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("ran out after %s, want 10 s", got)
		}
	})
}

func TestABrokenLeaseRunsOutSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := newLease(10*time.Second, 5*time.Second)
		l.Break(2 * time.Second)
		l.Break(4 * time.Second) // not later again
		if l.Renew() {
			t.Error("renewed after it was broken")
		}
		<-l.Expired()
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("ran out after %s, want 2 s", got)
		}
		l.Break(time.Second)
	})
}

// A harness that is killed is not waited for: the end of its connection tells.
func TestADeadHarnessIsNoticed(t *testing.T) {
	lease := newLease(2*time.Hour, time.Hour)
	client := dial(t, serve(t, &fakeEngine{}, lease))
	go func() { _ = client.KeepLease(t.Context()) }()
	for renewed := false; !renewed; { // by the first beat
		<-time.After(10 * time.Millisecond)
		lease.mu.Lock()
		renewed = time.Until(lease.until) <= time.Hour
		lease.mu.Unlock()
	}
	_ = client.Close() // as the kernel does for a process that is killed
	select {
	case <-lease.Expired():
	case <-time.After(soon):
		t.Error("the lease goes on")
	}
}

func TestKeepLease(t *testing.T) {
	// One beat per second, so a lease of two must be kept.
	lease := newLease(soon, 2*time.Second)
	client := dial(t, serve(t, &fakeEngine{}, lease))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if err := client.KeepLease(ctx); err != nil {
		t.Fatalf("keep lease: %v, want nil at the end of the context", err)
	}
	if lease.Over() {
		t.Fatal("ran out although it was renewed")
	}
	select {
	case <-lease.Expired():
	case <-time.After(soon):
		t.Fatal("goes on without renewals")
	}
	if _, err := client.Descriptors(t.Context(), "any"); !errors.Is(err, agent.ErrGone) {
		t.Errorf("a call after the end: %v, want ErrGone", err)
	}
	if err := client.KeepLease(t.Context()); !errors.Is(err, agent.ErrGone) {
		t.Errorf("keep lease after the end: %v, want ErrGone", err)
	}
}

func TestKeepLeaseEndsWithFaultd(t *testing.T) {
	server := newServer(mine, token, &fakeEngine{}, newLease(time.Hour, time.Hour), newTenants(time.Hour, func(string) {}), &networks{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = server.Serve(listener) }()
	client := dial(t, listener.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- client.KeepLease(t.Context()) }()
	server.Stop()
	select {
	case err := <-ended:
		if !errors.Is(err, agent.ErrGone) {
			t.Errorf("keep lease: %v, want ErrGone", err)
		}
	case <-time.After(soon):
		t.Error("keep lease goes on without faultd")
	}
}

// bed is two sessions on one engine.
func bed() *fakeEngine {
	return &fakeEngine{
		containers: map[string]container{
			"self":    {ID: "self", Session: mine},
			"peer":    {ID: "peer", Session: mine},
			"seed":    {ID: "seed", Session: mine},
			"foreign": {ID: "foreign", Session: "session-2"},
		},
		networks: map[string]string{"net": mine, "foreign-net": "session-2"},
		attached: map[string]string{},
	}
}

func TestReapTakesTheSessionAndItselfLast(t *testing.T) {
	engine := bed()
	engine.late = &container{ID: "created meanwhile", Session: mine}
	engine.stubborn = 1
	engine.attached["net"] = "self"
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	must(t, reap(log, &reaper{engine: engine, session: mine, self: "self"}))
	if left := engine.left(); !slices.Equal(left, []string{"foreign", "foreign-net"}) {
		t.Errorf("left: %v; want the other session's only, and all of it", left)
	}
	if at := slices.Index(engine.removed, "self"); at != len(engine.removed)-1 {
		t.Errorf("removed %v: itself must be last, and once", engine.removed)
	}
}

// TestReapEmptiesABedOneByOne: the engine miscounts a network that two leave at once.
func TestReapEmptiesABedOneByOne(t *testing.T) {
	engine := &fakeEngine{
		containers: map[string]container{}, networks: map[string]string{}, slow: 20 * time.Millisecond,
		leaving: map[string]int{}, crowded: map[string]int{},
	}
	for _, bed := range []string{"one", "two"} {
		for _, node := range []string{"a", "b", "c"} {
			engine.containers[bed+node] = container{ID: bed + node, Session: "s", Bed: bed}
		}
	}
	start := time.Now()
	if err := (&reaper{engine: engine, session: "s", self: "self"}).Reap(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if len(engine.containers) > 0 || engine.crowded["one"] != 1 || engine.crowded["two"] != 1 {
		t.Errorf("left %v, at once %v, after %s", engine.containers, engine.crowded, time.Since(start))
	}
}

func TestReapLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := bed()
		engine.networks = nil
		go func() {
			<-time.After(2 * time.Second) // of an engine under load
			engine.mu.Lock()
			defer engine.mu.Unlock()
			engine.containers["late"] = container{ID: "late", Session: mine}
		}()
		start := time.Now()
		must(t, (&reaper{engine: engine, session: mine, self: "self", linger: 3 * time.Second}).Reap(t.Context(), ""))
		if left := engine.left(); !slices.Equal(left, []string{"foreign", "self"}) {
			t.Errorf("left: %v", left)
		}
		if took := time.Since(start); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("took %s, want 3 s and no more", took)
		}
	})
}

func TestReapGivesUpInTheEnd(t *testing.T) {
	engine := bed()
	engine.stubborn = 1 << 30
	ctx, cancel := context.WithTimeout(t.Context(), 3*reapEvery)
	defer cancel()
	r := &reaper{engine: engine, session: mine, self: "self"}
	if err := r.Reap(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reap: %v, want the end of the context", err)
	}
}
