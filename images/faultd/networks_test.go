//go:build linux

package main

import (
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Networks go one by one, and those of a process's beds with its lease; what begins alike is
// another.
func TestNetworksGoByTheirNames(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test makes network namespaces")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root, or leave it out with -short")
	}
	n := &networks{}
	for _, name := range []string{"s-a-1", "s-a-12", "s-b-1"} {
		made, err := n.find(name)
		must(t, err)
		if again, err := n.find(name); err != nil || again != made {
			t.Errorf("%s was made twice (%v)", name, err)
		}
	}
	names := func() []string { return slices.Sorted(maps.Keys(n.open)) }
	must(t, n.close(func(name string) bool { return name == "s-a-1" }))
	if got := names(); !slices.Equal(got, []string{"s-a-12", "s-b-1"}) {
		t.Errorf("open: %v", got)
	}
	evict(slog.New(slog.DiscardHandler), &reaper{engine: &fakeEngine{}, session: mine}, n, "s-a-", nil)
	if got := names(); !slices.Equal(got, []string{"s-b-1"}) {
		t.Errorf("open after an eviction: %v", got)
	}
	must(t, n.close(func(name string) bool { return strings.HasPrefix(name, "s-") }))
	if got := names(); len(got) > 0 {
		t.Errorf("open at the end: %v", got)
	}
}
