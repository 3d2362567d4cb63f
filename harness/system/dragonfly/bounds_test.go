package dragonfly

import (
	"reflect"
	"testing"
	"time"
)

// TestBounds holds the bounds against what was measured: each bound is above what was
// seen, and in profile fast near enough to mean something.
func TestBounds(t *testing.T) {
	for _, r := range releases {
		fast, production := newSystem(t, r.version, "fast").Bounds(), newSystem(t, r.version, "production").Bounds()
		for _, tc := range []struct {
			what        string
			bound       time.Duration
			seen, limit time.Duration
		}{
			{"ready in profile fast", fast.Ready, 16 * time.Second, 75 * time.Second},
			{"notice in profile fast", fast.Notice, 24 * time.Second, 45 * time.Second},
			{"fallback in profile fast", fast.Fallback, 10 * time.Second, 40 * time.Second},
			{"fallback in profile production", production.Fallback, rpcContext, 3 * time.Minute},
			{"ready in profile production", production.Ready, 10 * time.Minute, 30 * time.Minute},
		} {
			if tc.bound <= tc.seen || tc.bound > tc.limit {
				t.Errorf("%s: %s is %s, want more than %s and at most %s", r.version, tc.what, tc.bound, tc.seen, tc.limit)
			}
		}
		f, p := reflect.ValueOf(fast), reflect.ValueOf(production)
		for i := range f.NumField() {
			if f.Field(i).Int() <= 0 || f.Field(i).Int() > p.Field(i).Int() {
				t.Errorf("%s: %s is %v in profile fast and %v in production", r.version, f.Type().Field(i).Name, f.Field(i), p.Field(i))
			}
		}
	}
}

// TestProfileOver: whatever a profile leaves open is the release's.
func TestProfileOver(t *testing.T) {
	if got := production.over(defaults); got.announce != defaults.announce || got.name != "production" {
		t.Errorf("production over the defaults: %+v", got)
	}
	if got := fast.over(defaults); got != fast {
		t.Errorf("fast over the defaults: %+v; want itself: it sets every timer", got)
	}
	full := reflect.ValueOf(production.over(defaults))
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Errorf("%s is left open", full.Type().Field(i).Name)
		}
	}
}
