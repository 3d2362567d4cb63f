//go:build linux

package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTenantsThatFallSilentAreEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		evicted := make(chan string, 2)
		tenants := newTenants(5*time.Second, func(beds string) { evicted <- beds })
		for _, beds := range []string{"s-a-", "s-b-", "s-c-"} {
			if !tenants.Renew(beds) {
				t.Fatalf("%s is refused", beds)
			}
		}
		tenants.Leave("s-b-")
		tenants.Leave("s-unknown-")
		<-time.After(3 * time.Second)
		tenants.Renew("s-c-")
		if got := <-evicted; got != "s-a-" || time.Since(start) != 5*time.Second {
			t.Errorf("evicted %s after %s, want s-a- after 5 s", got, time.Since(start))
		}
		if tenants.Renew("s-a-") {
			t.Error("renewed after it had run out")
		}
		if got := <-evicted; got != "s-c-" || time.Since(start) != 8*time.Second {
			t.Errorf("evicted %s after %s, want s-c- after 8 s: b has left", got, time.Since(start))
		}
		synctest.Wait()
		if len(evicted) > 0 {
			t.Errorf("evicted %s, too", <-evicted)
		}
	})
}

func TestKeepBeds(t *testing.T) {
	const term = 2 * time.Second // one beat per second keeps it
	evicted := make(chan string, 1)
	address := serveTenants(t, newTenants(term, func(beds string) { evicted <- beds }))
	polite, killed := dial(t, address), dial(t, address)

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := polite.KeepBeds(ctx, "s-polite-"); err != nil {
		t.Fatalf("keep beds: %v, want nil at the end of the context", err)
	}
	go func() { _ = killed.KeepBeds(t.Context(), "s-killed-") }()
	select {
	case beds := <-evicted:
		t.Fatalf("evicted %s, though renewed or given back", beds)
	case <-time.After(2 * term):
	}
	_ = killed.Close() // as the kernel does for a process that is killed
	select {
	case beds := <-evicted:
		if beds != "s-killed-" {
			t.Errorf("evicted %s", beds)
		}
	case <-time.After(soon):
		t.Error("the beds of a dead process are kept")
	}
}

func TestEvictionTakesTheBedsOfOneProcess(t *testing.T) {
	engine := &fakeEngine{
		containers: map[string]container{
			"self": {Session: mine}, "a1": {Session: mine, Bed: "s-a-1"}, "a2": {Session: mine, Bed: "s-a-2"},
			"b1": {Session: mine, Bed: "s-b-1"}, "foreign": {Session: "session-2", Bed: "s-a-1"},
		},
		networks: map[string]string{"net-a1": mine, "net-b1": mine, "foreign-net": "session-2"},
		bedOf:    map[string]string{"net-a1": "s-a-1", "net-b1": "s-b-1", "foreign-net": "s-a-1"},
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	evict(log, &reaper{engine: engine, session: mine, self: "self"}, &networks{}, "s-a-", nil)
	if left := engine.left(); !slices.Equal(left, []string{"b1", "foreign", "foreign-net", "net-b1", "self"}) {
		t.Errorf("left: %v", left)
	}
}

// TestEvictionMakesWayForTheEnd: what an eviction cannot remove must not hold up the
// session's own end.
func TestEvictionMakesWayForTheEnd(t *testing.T) {
	engine := bed()
	engine.stubborn = 1 << 30
	over := make(chan struct{})
	close(over)
	start := time.Now()
	evict(slog.New(slog.NewTextHandler(io.Discard, nil)), &reaper{engine: engine, session: mine, self: "self"}, &networks{}, "", over)
	if took := time.Since(start); took > soon {
		t.Errorf("took %s", took)
	}
}
