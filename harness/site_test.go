package harness

import (
	"context"
	"net/netip"
	"testing"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// A bed leaves its site to the next one if it passes, and only then: what it got wrong may
// be what the next would meet.
func TestFaultdsSiteIsHandedOnByAPassOnly(t *testing.T) {
	ctx, _, h := onEngine(t)
	s, _, err := Open(ctx, Options{RunDir: t.TempDir(), System: "reference", Profile: "fast", Repeat: 1, Images: h.Images}, func(string) {})
	must(t, err)
	outer := current
	Use(s)
	t.Cleanup(func() {
		Use(outer)
		must(t, s.Close(context.WithoutCancel(ctx)))
	})
	on := func(want history.Verdict) string {
		var proxy string
		verdict, reason := Alone("site", func(tb testing.TB) {
			tb.Helper()
			bed := Start(ctx, tb, topology.Of(1, 1, 1))
			proxy = bed.site.proxy.ID
			if want == history.Fail {
				tb.Error("on purpose")
			}
		})
		if verdict != want {
			t.Fatalf("the bed is %s, want %s: %s", verdict, want, reason)
		}
		return proxy
	}
	first := on(history.Pass)
	if second := on(history.Fail); second != first {
		t.Error("a bed that passed did not leave its site")
	}
	if third := on(history.Pass); third == first {
		t.Error("a bed that failed left its site")
	}
}

// No address of a site is given twice, none lies outside of its network, and the largest bed
// finds room on a new one.
func TestSiteGivesEachAddressOnce(t *testing.T) {
	s := &site{next: firstHost}
	if !s.room(topology.MaxNodes) {
		t.Fatalf("no room for %d nodes on a new site", topology.MaxNodes)
	}
	given := map[netip.Addr]bool{hostAt(proxyHost).Addr(): true}
	for s.room(7) {
		for range 7 {
			address := s.nextAddress()
			if given[address] || !sitePrefix.Contains(address) || address == netip.MustParseAddr("10.213.0.255") {
				t.Fatalf("%s is given after %d others", address, len(given))
			}
			given[address] = true
		}
	}
	if len(given) < 200 {
		t.Errorf("%d addresses are given, there are more", len(given))
	}
}
