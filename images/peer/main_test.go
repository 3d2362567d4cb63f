package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/dfget"
)

// newOrigin serves the fixtures, and some answers that are none. Without a daemon,
// dfget asks it by itself.
func newOrigin(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/status/%d", &status); err == nil {
			http.Error(w, "no", status)
			return
		}
		file, ok := fixtures.ByName(strings.TrimPrefix(r.URL.Path, "/"))
		if !ok { // silent
			<-r.Context().Done()
			return
		}
		http.ServeContent(w, r, "", time.Time{}, fixtures.Reader(file))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// Seen red by exiting with 1 for all, by marking --output as required in cobra's way,
// and by writing to the output itself.
func TestExitCodes(t *testing.T) {
	origin, file := newOrigin(t), fixtures.Manifest
	const before = "what was there"
	for name, c := range map[string]struct {
		args string
		code int
		says string
	}{
		"whole":             {"dfget {origin}manifest-4k -O {out} --digest sha256:" + file.SHA256, dfget.ExitOK, ""},
		"a part":            {"dfget {origin}manifest-4k -O {out} --range 10-19", dfget.ExitOK, ""},
		"wrong digest":      {"dfget {origin}layer-1m -O {out} --digest " + file.SHA256, dfget.ExitDigest, "digest mismatch"},
		"not found":         {"dfget {origin}status/404 -O {out}", dfget.ExitOrigin, "404 Not Found"},
		"forbidden":         {"dfget {origin}status/403 -O {out}", dfget.ExitOrigin, "403 Forbidden"},
		"gone":              {"dfget {origin}status/410 -O {out}", dfget.ExitOrigin, "410 Gone"},
		"server error":      {"dfget {origin}status/500 -O {out}", dfget.ExitFailed, "500 Internal"},
		"too late":          {"dfget {origin}silent -O {out} --timeout 300ms", dfget.ExitTimeout, "not done within the limit of 300ms"},
		"part behind end":   {"dfget {origin}manifest-4k -O {out} --range 4096-", dfget.ExitFailed, "416"},
		"no daemon":         {"dfget {origin}manifest-4k -O {out} --no-back-source", dfget.ExitFailed, "the daemon cannot be reached"},
		"nothing to heat":   {"preheat {origin}manifest-4k", dfget.ExitFailed, "the daemon cannot be reached"},
		"no url":            {"dfget -O {out}", dfget.ExitBadUsage, "accepts 1 arg"},
		"no output":         {"dfget {origin}manifest-4k", dfget.ExitBadUsage, "--output is needed"},
		"wrong url":         {"dfget ftp://o/f -O {out}", dfget.ExitBadUsage, `url "ftp://o/f" is not http://`},
		"url without host":  {"preheat http:///f", dfget.ExitBadUsage, "with a host"},
		"no digest":         {"dfget {origin}manifest-4k -O {out} --digest abc", dfget.ExitBadUsage, `digest "abc"`},
		"no range":          {"dfget {origin}manifest-4k -O {out} --range 9-3", dfget.ExitBadUsage, `range "9-3"`},
		"range of the end":  {"dfget {origin}manifest-4k -O {out} --range=-3", dfget.ExitBadUsage, `range "-3"`},
		"no time":           {"dfget {origin}manifest-4k -O {out} --timeout 0s", dfget.ExitBadUsage, "timeout 0s"},
		"unknown flag":      {"dfget --fast", dfget.ExitBadUsage, "unknown flag"},
		"unknown command":   {"fetch", dfget.ExitBadUsage, "unknown command"},
		"unknown profile":   {"preheat {origin}f --profile slow", dfget.ExitBadUsage, `unknown profile "slow"`},
		"no supernode":      {"daemon", dfget.ExitBadUsage, "at least one --supernode"},
		"no size":           {"daemon --supernode a:1 --quota much", dfget.ExitBadUsage, `quota "much"`},
		"no server, a path": {"daemon --supernode a:1 --advertise-ip 127.0.0.1 --data-dir {out}-d --mirror /x", dfget.ExitFailed, `mirror "/x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(out, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(strings.NewReplacer("{origin}", origin, "{out}", out).Replace(c.args))
			if args[0] == "dfget" || args[0] == "preheat" {
				args = append(args, "--socket", out+".socket")
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), args, &stdout, &stderr)
			if code != c.code || !strings.Contains(stderr.String(), c.says) || stdout.Len() > 0 {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and %q", code, &stdout, &stderr, c.code, c.says)
			}
			if lines := strings.Count(stderr.String(), "\n"); code != 0 && lines != 1 || code == 0 && lines > 0 {
				t.Errorf("stderr has %d lines: %s", lines, &stderr)
			}
			got, err := os.ReadFile(out)
			if err != nil || (string(got) == before) != (code != 0) {
				t.Errorf("after exit code %d the output has %d bytes, %v", code, len(got), err)
			}
			if left, _ := filepath.Glob(out + ".tmp*"); len(left) > 0 {
				t.Errorf("left: %s", left)
			}
		})
	}
}

// Seen red by starting a part at the wrong end.
func TestPartOfAFileAsJSON(t *testing.T) {
	origin, out := newOrigin(t), filepath.Join(t.TempDir(), "out")
	whole := make([]byte, fixtures.Manifest.Size)
	if _, err := fixtures.Reader(fixtures.Manifest).Read(whole); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string][]byte{"10-19": whole[10:20], "4000-": whole[4000:], "4090-9999": whole[4090:], "0-": whole} {
		var stdout, stderr bytes.Buffer
		args := []string{"dfget", origin + "manifest-4k", "-O", out, "--range", part, "--json", "--socket", out + ".socket"}
		if code := run(t.Context(), args, &stdout, &stderr); code != 0 {
			t.Errorf("%s: exit code %d: %s", part, code, &stderr)
		}
		var result dfget.Result
		if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || result.Bytes != int64(len(want)) || result.Mode != "source" {
			t.Errorf("%s: %s, %v", part, &stdout, err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", part, len(got), err)
		}
	}
}

// Seen red by drawing whatever out is.
func TestProgressIsForTerminals(t *testing.T) {
	pipe, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = pipe.Close(), other.Close() }()
	for name, out := range map[string]any{"buffer": &bytes.Buffer{}, "pipe": other} {
		if tell, done := progress(out.(interface{ Write([]byte) (int, error) }), "http://o/f"); tell != nil || done == nil {
			t.Errorf("progress is drawn into a %s", name)
		}
	}
	var drawn bytes.Buffer
	tell, done := bar(&drawn, "layer")
	for _, come := range []int64{0, 512, 1024} {
		tell(come, 1024)
	}
	done()
	if text := drawn.String(); !strings.Contains(text, "layer") || !strings.Contains(text, "100%") || !strings.HasSuffix(text, "\n") {
		t.Errorf("drawn was %q", text)
	}
}
