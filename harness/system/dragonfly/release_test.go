package dragonfly

import (
	"maps"
	"strings"
	"testing"
)

func TestRefs(t *testing.T) {
	for _, tc := range []struct {
		release        string
		peer           string
		previous, next string
	}{
		{"", "dragonflyoss/dfdaemon:v2.2.1", "v2.1.67", "v2.3.0"},
		{"v2.2.1", "dragonflyoss/dfdaemon:v2.2.1", "v2.1.67", "v2.3.0"},
		{"2.2.1", "dragonflyoss/dfdaemon:v2.2.1", "v2.1.67", "v2.3.0"},
		{"v2.1.0", "dragonflyoss/dfdaemon:v2.1.0", "", "v2.1.67"},
		{"v2.3.0", "dragonflyoss/dfdaemon:v2.3.0", "v2.2.1", ""},
		{"v2.2.3", "dragonflyoss/dfdaemon:v2.2.3", "v2.2.1", "v2.3.0"},
		{"v2.3.1-rc.0", "dragonflyoss/dfdaemon:v2.3.1-rc.0", "v2.3.0", ""},
	} {
		needed, optional, err := Refs(tc.release, nil)
		if err != nil || len(needed) != 4 || needed["peer@stable"] != tc.peer || needed["seed@stable"] != tc.peer {
			t.Errorf("%q: needed %v, %v; want four with %s", tc.release, needed, err, tc.peer)
		}
		want := map[string]string{}
		for role, repository := range programs {
			if tc.previous != "" {
				want[role+"@previous"] = repository + ":" + tc.previous
			}
			if tc.next != "" {
				want[role+"@next"] = repository + ":" + tc.next
			}
		}
		if !maps.Equal(optional, want) {
			t.Errorf("%q: optional %v; want %v", tc.release, optional, want)
		}
	}
}

func TestRefsOfACandidate(t *testing.T) {
	needed, _, err := Refs("v2.2.1", map[string]string{"peer": "mine:dev", "scheduler": ""})
	want := map[string]string{
		"manager@stable": "dragonflyoss/manager:v2.2.1", "scheduler@stable": "dragonflyoss/scheduler:v2.2.1",
		"seed@stable": "dragonflyoss/dfdaemon:v2.2.1", "peer@stable": "mine:dev",
	}
	if err != nil || !maps.Equal(needed, want) {
		t.Errorf("got %v, %v; want %v", needed, err, want)
	}
}

func TestRefsOfAnUnknownRelease(t *testing.T) {
	for _, release := range []string{"v2.0.9", "v2.4.0", "v3.0.0", "latest", "v2.2.x"} {
		_, _, err := Refs(release, nil)
		if err == nil || !strings.Contains(err.Error(), "v2.1.0, v2.1.67, v2.2.1, v2.3.0") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line that lists the known releases", release, err)
		}
	}
}

func TestLike(t *testing.T) {
	for version, want := range map[string]string{"v2.1.30": "v2.1.0", "v2.1.67": "v2.1.67", "v2.2.9": "v2.2.1", "v2.3.7": "v2.3.0"} {
		if got, err := like(version); err != nil || got.version != want {
			t.Errorf("%s is taken for %s, %v; want %s", version, got.version, err, want)
		}
	}
}
