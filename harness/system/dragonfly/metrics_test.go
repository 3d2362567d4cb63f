package dragonfly

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// serving answers every GET of a node's metrics with text.
func serving(t *testing.T, node, text string) inside {
	t.Helper()
	return inside{get: func(n, url string) ([]byte, error) {
		if n != node || url != "http://127.0.0.1:8000/metrics" {
			t.Errorf("asked %s for %s", n, url)
		}
		return []byte(text), nil
	}}
}

func TestCounted(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	peer := topology.Node{Name: "peer-2", Role: topology.Peer, Release: topology.Next}
	text := string(sample(t, "v2.3.0/daemon.metrics"))
	got, err := s.Counted(t.Context(), serving(t, "peer-2", text), peer)
	if want := (history.From{Origin: 1048576}); err != nil || got != want {
		t.Errorf("counted %+v, %v; want %+v", got, err, want)
	}
	for name, tc := range map[string]struct{ release, text string }{
		"a release that does not count": {"v2.1.0", text},
		"a daemon without the metric":   {topology.Stable, "# TYPE x counter\nx 1\n"},
	} {
		peer.Release = tc.release
		if got, err := s.Counted(t.Context(), serving(t, "peer-2", tc.text), peer); !errors.Is(err, system.ErrNotCounted) || !strings.Contains(err.Error(), "peer-2") {
			t.Errorf("%s: %+v, %v; want that it is not counted", name, got, err)
		}
	}
	peer.Release = topology.Stable
	if _, err := s.Counted(t.Context(), serving(t, "peer-2", "<html>"), peer); err == nil || errors.Is(err, system.ErrNotCounted) {
		t.Errorf("what is no metrics: %v", err)
	}
}

func TestStatus(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	peer := topology.Node{Name: "peer-2", Role: topology.Peer}
	accepted := string(sample(t, "v2.3.0/daemon.metrics"))
	refused := strings.ReplaceAll(accepted, `grpc_code="OK",grpc_method="AnnounceHost"`, `grpc_code="Unavailable",grpc_method="AnnounceHost"`)
	for text, want := range map[string]bool{accepted: true, refused: false, "": false} {
		got, err := s.Status(t.Context(), serving(t, "peer-2", text), peer)
		if err != nil || got.Registered != want || got.Peers != nil {
			t.Errorf("status %+v, %v; want registered %v; of\n%.300s", got, err, want, text)
		}
	}
}

// TestAnnouncingMetric reads a scheduler's count by release.
func TestAnnouncingMetric(t *testing.T) {
	s := newSystem(t, "v2.1.0", "fast")
	text := string(sample(t, "v2.1.67/scheduler.metrics"))
	supernode := topology.Node{Name: "supernode-1", Role: topology.Supernode}
	if _, err := s.Members(t.Context(), serving(t, "supernode-1", text), supernode); err == nil || !strings.Contains(err.Error(), "lists no hosts") {
		t.Fatalf("right at the start: %v", err)
	}
	seen := s.watches.of["supernode-1"]
	if len(seen) != 1 || seen[0].counts["v2.1.67"] == 0 {
		t.Errorf("saw %+v, want a count of v2.1.67", seen)
	}
}

func TestClaim(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	for name, want := range map[string]struct {
		ok  bool
		why string
	}{
		"v2.2.1/ok.dfget":      {true, ""},
		"v2.2.1/own-way.dfget": {true, "too many open files"},
		"v2.2.1/failed.dfget":  {false, "connection refused"},
	} {
		got, err := s.Claim(sample(t, name))
		if err != nil || got.OK != want.ok || (got.Error == "") != (want.why == "") || !strings.Contains(got.Error, want.why) || got.From != (history.From{}) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	if got, err := s.Claim([]byte("download success: true cost: 12 ms\n")); err != nil || !got.OK {
		t.Errorf("of v2.1.0: %+v, %v", got, err)
	}
	for _, cut := range []string{"", "dfget version: v2.2.1\ninit success and start to download\n"} {
		if got, err := s.Claim([]byte(cut)); err == nil {
			t.Errorf("%q is a claim: %+v", cut, got)
		}
	}
}

func TestDownload(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	got := strings.Join(s.Download("http://origin-1/files/a", "/tmp/a", "beef", 90e9), " ")
	if want := "/opt/dragonfly/bin/dfget http://origin-1/files/a --output /tmp/a --digest sha256:beef --timeout 1m30s"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// TestSamplesAreRead: a sample that no test names is dead weight.
func TestSamplesAreRead(t *testing.T) {
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range tests {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(source)
	}
	samples, err := filepath.Glob("../../../fixtures/dragonfly/samples/*/*")
	if err != nil || len(samples) == 0 {
		t.Fatal(samples, err)
	}
	for _, path := range samples {
		name := strings.TrimSuffix(filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)), ".log")
		if !strings.Contains(text.String(), `"`+name+`"`) {
			t.Errorf("%s is read by no test", path)
		}
	}
}
