package main

import (
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/cluster"
)

func TestCleanSparesTheLiveAndTheYoung(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	everything := []cluster.Leftover{
		{Session: "live", Role: cluster.RoleFaultd, Running: true, Name: "a", Created: now.Add(-5 * time.Hour)},
		{Session: "live", Name: "b", Created: now.Add(-5 * time.Hour)},
		{Session: "dead", Role: cluster.RoleFaultd, Name: "c", Created: now.Add(-2 * time.Hour)},
		{Session: "dead", Running: true, Name: "d", Created: now.Add(-time.Minute)},
	}
	for _, c := range []struct {
		cleaning cleaning
		want     string
	}{
		{cleaning{}, "cd"},
		{cleaning{all: true}, "abcd"},
		{cleaning{olderThan: time.Hour}, "c"},
		{cleaning{all: true, olderThan: 3 * time.Hour}, "ab"},
	} {
		got := ""
		for _, l := range c.cleaning.choose(everything, now) {
			got += l.Name
		}
		if got != c.want {
			t.Errorf("%+v chooses %s, want %s", c.cleaning, got, c.want)
		}
	}
}
