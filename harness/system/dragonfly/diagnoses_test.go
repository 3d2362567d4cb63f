package dragonfly

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// sample reads what a run left: a file under fixtures/dragonfly/samples.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "fixtures", "dragonfly", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func short(d system.Diagnosis) string { return strings.Join([]string{d.Step, d.Target, d.Cause}, "|") }

// TestDiagnoses reads logs of real runs: the name says which release, and what was done to
// it. In those runs the scheduler was 10.231.9.6, the seed 10.231.9.7 and the origin
// 10.231.9.2.
func TestDiagnoses(t *testing.T) {
	for name, want := range map[string][]string{
		"v2.1.0/scheduler-refused": {
			"check|10.231.9.6:8002|refused", // by address, and
			"check|10.231.9.6:8002|refused", // by host name: it names neither
			"check|10.231.9.6:8002|unreachable",
			"announce|10.231.9.6:8002|refused",
			"register|10.231.9.6:8002|refused",
		},
		"v2.1.67/announce-with-stack": {
			"announce|10.231.9.6:8002|refused",
		},
		"v2.1.67/scheduler-refused": {
			"check|10.231.9.6:8002|refused",
			"check|supernode-1:8002|refused",
			"check|10.231.9.6:8002|unreachable",
			"announce|10.231.9.6:8002|refused",
			"register|10.231.9.6:8002|refused",
		},
		"v2.2.1/descriptors": {
			"storage||too many open files",
			"open||too many open files", // the same error, told by another file
		},
		"v2.2.1/manager-refused": {
			"manager|10.231.9.5:65003|refused",
		},
		"v2.2.1/origin-refused": {
			"origin|10.231.9.2:80|refused",
		},
		"v2.2.1/parent-grpc-silent": {
			"list|10.231.9.7:65000|timed out",
			"back to source||ordered",
		},
		"v2.2.1/scheduler-refused": {
			"check|10.231.9.6:8002|refused",
			"check|supernode-1:8002|refused",
			"check|10.231.9.6:8002|unreachable",
			"announce|10.231.9.6:8002|refused",
			"register|10.231.9.6:8002|refused",
		},
		"v2.2.1/scheduler-silent": {
			"check|10.231.9.6:8002|timed out",
			"check|supernode-1:8002|timed out",
			"check|10.231.9.6:8002|unreachable",
			"register||timed out",
		},
		"v2.2.1/seed-killed": {
			"seed|10.231.9.7:65000|refused",
			"seed|10.231.9.7:65000|refused",
			"seed|10.231.9.7:65000|unreachable",
			"seed|10.231.9.7:65000|refused",
		},
		"v2.2.1/upload-refused": {
			"piece|10.231.9.7:65002|refused",
			"back to source||ordered",
		},
		"v2.2.1/upload-silent": {
			"piece|10.231.9.7:65002|timed out",
			"back to source||ordered",
		},
		"v2.3.0/scheduler-silent": {
			"check|10.231.9.6:8002|timed out",
			"register||timed out",
		},
	} {
		version := filepath.Dir(name)
		s := newSystem(t, version, "fast")
		var got []string
		for _, d := range s.Diagnoses(topology.Node{Name: "peer-2"}, sample(t, name+".log")) {
			got = append(got, short(d))
			if d.At.IsZero() || d.Error == "" {
				t.Errorf("%s: %+v lacks its time or its error", name, d)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s", name, cmp.Diff(want, got))
		}
	}
}

// TestDiagnosesOfANodesRelease: a node's own release says how its log is read.
func TestDiagnosesOfANodesRelease(t *testing.T) {
	s := newSystem(t, "v2.3.0", "fast")
	log := sample(t, "v2.2.1/scheduler-silent.log")
	old := s.Diagnoses(topology.Node{Name: "p", Release: topology.Previous}, log)
	own := s.Diagnoses(topology.Node{Name: "p", Release: topology.Stable}, log)
	if len(old) != 4 || len(own) != 1 {
		t.Errorf("read as the previous release: %d diagnoses, want 4; as the next one: %d, want 1", len(old), len(own))
	}
}

func TestDiagnosisOfALine(t *testing.T) {
	const prefix = "2026-11-22T23:56:26.438Z\tERROR\t"
	s := newSystem(t, "v2.2.1", "fast")
	for _, tc := range []struct{ line, want string }{
		{prefix + "announcer/announcer.go:133\tannounce for the first time failed: invalid hashring", ""},
		{prefix + "announcer/announcer.go:148\tinvalid hashring", "announce||unreachable"},
		{prefix + "other/other.go:148\tinvalid hashring", ""},
		{prefix + "announcer/announcer.go:143\topen /proc/uptime: too many open files", "announce||too many open files"},
		{prefix + "peer/peertask_conductor.go:519\tdownload from source error: context canceled", ""},
		{prefix + "peer/peertask_conductor.go:1040\tstart download from source due to wait first peer packet from scheduler timeout\t{\"peer\": \"p\"}", "list||timed out"},
		{prefix + "peer/piece_downloader.go:172\ttask id: t, piece num: 3, dst: 10.0.0.7:65002, download piece failed: Get \"http://10.0.0.7:65002/download/t\": net/http: timeout awaiting response headers", "piece|10.0.0.7:65002|stalled"},
		{prefix + "peer/piece_manager.go:233\tput piece to storage failed, piece num: 3, wrote: 1024, error: context deadline exceeded", "piece||stalled"},
		{prefix + "config/dynconfig.go:174\tseed peer host address  is unreachable: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp: lookup seed-1 on 127.0.0.11:53: no such host\"", "seed|seed-1:65000|no such host"},
		{"2026/11/22 23:56:26 http: Accept error: accept tcp [::]:65002: accept4: too many open files; retrying in 5ms", "accept|[::]:65002|too many open files"},
		{"2026-11-23T01:03:29.480Z\tFATAL\tdaemon/daemon.go:663\tmetrics server closed unexpect: listen tcp :8000: socket: too many open files", "open||too many open files"},
		{"goroutine 1 [running]:", ""},
		{"", ""},
	} {
		var got []string
		for _, d := range s.Diagnoses(topology.Node{}, []byte(tc.line+"\n")) {
			got = append(got, short(d))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s\n\tis %q, want %q", tc.line, got, tc.want)
		}
	}
}

func TestDiagnosisInFull(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	got := s.Diagnoses(topology.Node{}, []byte("2026-11-22T23:56:26.438+0100\tERROR\tpeer/peertask_conductor.go:285\tstep 1: peer 10.0.0.9-1-a register failed: rpc error: code = Unavailable desc = dial tcp 10.0.0.6:8002: connect: connection refused\t{\"peer\": \"p\"}\n"))
	want := []system.Diagnosis{{
		At: time.Date(2026, 11, 22, 22, 56, 26, 438e6, time.UTC), Step: "register", Target: "10.0.0.6:8002", Cause: "refused",
		Error: "rpc error: code = Unavailable desc = dial tcp 10.0.0.6:8002: connect: connection refused",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
