package swarm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/origin/trouble"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// Whatever an origin does, a download ends soon, leaves a whole file or none, and says
// which origin did what. A lie that is told all along, like an error page with status
// 200, shows in the digest only.
//
// Seen red without following redirects, with as many attempts as it takes, and by
// keeping what an origin that changed its mind had sent.
func TestOriginsThatMisbehave(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     trouble.Kind
		code     int
		says     string
		requests int64 // at most, of one client
	}{
		{trouble.NotFound, dfget.ExitOrigin, "not found: status 404", 1},
		{trouble.Forbidden, dfget.ExitOrigin, "forbidden: status 403", 1},
		{trouble.Broken, dfget.ExitFailed, "bad answer: status 500", 8},
		// Each answer gives half of what is left: of 1 MiB, 20 times.
		{trouble.CloseEarly, dfget.ExitFailed, "EOF", 8 + 20},
		{trouble.LiesLong, dfget.ExitFailed, "EOF", 8 + 1},
		{trouble.LiesShort, dfget.ExitDigest, "promised was " + fixtures.Layer1M.SHA256, 1},
		{trouble.NoRanges, dfget.ExitOK, "", 1},
		{trouble.Silent, dfget.ExitFailed, "stalled", 8},
		{trouble.HTML, dfget.ExitDigest, "promised was " + fixtures.Layer1M.SHA256, 1},
		{trouble.Redirect, dfget.ExitOK, "", 2},
		{trouble.Loop, dfget.ExitFailed, "sent on more than 5 times", 6},
	} {
		for _, mode := range []string{"daemon", "source"} {
			t.Run(fmt.Sprintf("%s %s", c.kind, mode), func(t *testing.T) {
				t.Parallel()
				b := newBed(t)
				p := b.peer(21, stable, false, 1)
				request := p.request(fixtures.Layer1M)
				request.URL += "?fault=" + string(c.kind)
				request.Output = filepath.Join(p.dir, "out", "file")
				if mode == "source" {
					p.stop()
					request.BackSource = true
				}
				r := dfget.Get(t.Context(), request)
				if r.ExitCode() != c.code || r.Mode != mode {
					t.Errorf("exit code %d of %+v", r.ExitCode(), r)
				}
				if !r.OK && (!strings.Contains(r.Error, c.says) || !strings.Contains(r.Error, "origin "+b.origin.addr) || strings.Contains(r.Error, "\n")) {
					t.Errorf("the error does not name origin and cause: %s", r.Error)
				}
				if got := b.origin.requests.Load(); got > c.requests {
					t.Errorf("%d requests", got)
				}
				left, err := os.ReadDir(filepath.Dir(request.Output))
				if err != nil || (len(left) == 1) != r.OK {
					t.Errorf("left of the output: %v, %v", left, err)
				}
				stored, _ := filepath.Glob(filepath.Join(p.dir, "tasks", piece.TaskID(request.URL, request.Digest)+".*"))
				if c.code == dfget.ExitDigest && len(stored) > 0 {
					t.Errorf("the store keeps what is not what was promised: %v", stored)
				}
				failures := b.logs.find(`"connection failed"`, `"step":"origin"`, `"target":"`+b.origin.addr+`"`)
				if mode == "daemon" && c.code != dfget.ExitOK && c.code != dfget.ExitDigest && len(failures) == 0 {
					t.Error("the log does not tell of the origin")
				}
			})
		}
	}
}

// Seen red by keeping the first length for good: no later download can succeed.
func TestOriginThatChangesItsFileIsBelievedTheNextTime(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.peer(21, stable, false, 1)
	request := p.request(fixtures.Layer16M) // more than one request
	request.URL += "?fault=" + string(trouble.Changing)
	for range 2 {
		before := b.origin.bytes.Load()
		r := dfget.Get(t.Context(), request)
		if want := "the file has 20971520 bytes now, 16777216 before"; r.OK || !strings.Contains(r.Error, want) {
			t.Errorf("%+v, want %q", r, want)
		}
		if got := b.origin.bytes.Load() - before; got < 4<<20 {
			t.Errorf("the attempt began with what was there before: %d bytes came", got)
		}
	}
}
