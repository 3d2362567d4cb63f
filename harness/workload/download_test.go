package workload_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/workload"
)

var file = fixtures.Fresh(1)

// ground is a place where a command leaves a file, or not.
type ground struct {
	code    int
	stdout  string
	content string // of the file it leaves; none if empty
	execErr error
	from    history.From
	counted []history.From // one answer after the other; none if empty
	trouble []error
}

func (g *ground) Exec(context.Context, []string) (stdout, stderr []byte, code int, err error) {
	return []byte(g.stdout), []byte("stderr"), g.code, g.execErr
}

func (g *ground) Hash(context.Context, string) (sum string, size int64, err error) {
	if g.content == "" {
		return "", 0, fs.ErrNotExist
	}
	h := sha256.Sum256([]byte(g.content))
	return hex.EncodeToString(h[:]), int64(len(g.content)), nil
}

func (g *ground) From(context.Context) (history.From, error) { return g.from, nil }
func (g *ground) Now() int64                                 { return 0 }
func (g *ground) Trouble(err error)                          { g.trouble = append(g.trouble, err) }

func (g *ground) Counted(context.Context) (history.From, error) {
	if len(g.counted) == 0 {
		return history.From{}, system.ErrNotCounted
	}
	next := g.counted[0]
	g.counted = g.counted[1:]
	return next, nil
}

// client is a system whose command says "ok", "failed", "own way", or nothing to be understood.
type client struct{ system.System }

func (client) Download(string, string, string, time.Duration) []string { return []string{"get"} }

func (client) Claim(stdout []byte) (system.Claim, error) {
	switch string(stdout) {
	case "ok":
		return system.Claim{OK: true}, nil
	case "own way":
		return system.Claim{OK: true, Error: "the daemon failed"}, nil
	case "failed":
		return system.Claim{Error: "no parent"}, nil
	}
	return system.Claim{}, errors.New("cannot be read")
}

func TestCommand(t *testing.T) {
	content, err := io.ReadAll(fixtures.Reader(file))
	if err != nil {
		t.Fatal(err)
	}
	whole := string(content)
	counted := []history.From{{Origin: 10}, {Origin: 17}}
	for name, tc := range map[string]struct {
		ground  ground
		intact  bool
		failed  string // in the error; "" for none
		witness *history.From
		trouble bool
	}{
		"well":                {ground{stdout: "ok", content: whole, counted: counted}, true, "", &history.From{Origin: 7}, false},
		"counters fell":       {ground{stdout: "ok", content: whole, counted: []history.From{{Origin: 17}, {Origin: 1}}}, true, "", nil, false},
		"nobody counts":       {ground{stdout: "ok", content: whole}, true, "", nil, false},
		"the command's own":   {ground{stdout: "own way", content: whole, counted: counted}, true, "", nil, false},
		"wrong content":       {ground{stdout: "ok", content: "x"}, false, "", nil, false},
		"no file":             {ground{stdout: "ok"}, false, "left no file", nil, false},
		"it says no":          {ground{stdout: "failed", code: 1, counted: counted}, false, "exit status 1: no parent", nil, false},
		"it says no, exits 0": {ground{stdout: "failed", content: whole}, true, "exit status 0: no parent", nil, false},
		"it breaks":           {ground{stdout: "?", code: 2}, false, "exit status 2: stderr", nil, false},
		"it babbles":          {ground{stdout: "?", content: whole}, true, "cannot be read", nil, false},
		"it cannot be run":    {ground{execErr: errors.New("no such container")}, false, "no such container", nil, true},
	} {
		g := tc.ground
		g.from = history.From{Seeds: 3}
		d := workload.Start(t.Context(), &g, client{}, "peer-1", "http://origin/f", "/f", file, time.Minute)
		got, err := d.Wait(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.SHA256OK != tc.intact || (got.Error == "") != (tc.failed == "") || !strings.Contains(got.Error, tc.failed) || got.From != g.from {
			t.Errorf("%s: %+v", name, got)
		}
		if (got.Witness == nil) != (tc.witness == nil) || got.Witness != nil && *got.Witness != *tc.witness {
			t.Errorf("%s: witness %v, want %v", name, got.Witness, tc.witness)
		}
		if (len(g.trouble) > 0) != tc.trouble {
			t.Errorf("%s: trouble %v", name, g.trouble)
		}
	}
}

func TestProxied(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.String() {
		case "http://origin-1/whole":
			_, _ = io.Copy(w, fixtures.Reader(file))
		case "http://origin-1/half":
			w.Header().Set("Content-Length", "1048576")
			_, _ = w.Write(make([]byte, 1000))
		default:
			http.NotFound(w, r)
		}
	}))
	defer proxy.Close()
	dial := func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", proxy.Listener.Addr().String())
	}
	nowhere := func(context.Context) (net.Conn, error) { return nil, errors.New("connection refused") }
	for name, tc := range map[string]struct {
		path   string
		dial   workload.Dial
		intact bool
		failed string
	}{
		"whole":         {"whole", dial, true, ""},
		"cut short":     {"half", dial, false, "unexpected EOF"},
		"not there":     {"absent", dial, false, "404"},
		"no connection": {"whole", nowhere, false, "refused"},
	} {
		g := &ground{}
		d := workload.StartProxied(t.Context(), g, "peer-1", "http://origin-1/"+tc.path, tc.dial, file, time.Minute)
		got, err := d.Wait(t.Context())
		if err != nil || got.SHA256OK != tc.intact || (got.Error == "") != (tc.failed == "") || !strings.Contains(got.Error, tc.failed) || len(g.trouble) > 0 {
			t.Errorf("%s: %+v, %v, trouble %v", name, got, err, g.trouble)
		}
	}
}
