package trouble_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/origin/trouble"
)

// Seen red by serving the file whatever is asked for.
func TestEachKindMisbehavesAsItSays(t *testing.T) {
	file := fixtures.Manifest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trouble.Serve(w, r, file, trouble.Kind(r.URL.Query().Get("fault")))
	}))
	defer server.Close()
	all, err := io.ReadAll(fixtures.Reader(file))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, c := range []struct {
		kind   trouble.Kind
		ranges string
		status int
		head   string // "<header>: <value>"
		body   []byte
		broken bool
	}{
		{trouble.None, "bytes=1-2", 206, "Content-Range: bytes 1-2/4096", all[1:3], false},
		{trouble.NotFound, "", 404, "", nil, false},
		{trouble.Forbidden, "", 403, "", nil, false},
		{trouble.Broken, "", 500, "", nil, false},
		{trouble.CloseEarly, "bytes=100-199", 206, "Content-Length: 100", all[100:150], true},
		{trouble.CloseEarly, "", 200, "Content-Length: 4096", all[:2048], true},
		{trouble.LiesLong, "bytes=4000-", 206, "Content-Range: bytes 4000-5095/5096", all[4000:], true},
		{trouble.LiesShort, "bytes=3000-9999", 206, "Content-Range: bytes 3000-3095/3096", all[3000:3096], false},
		{trouble.LiesShort, "bytes=4000-4001", 416, "Content-Range: bytes */3096", nil, false},
		{trouble.Changing, "bytes=0-9", 206, "Content-Range: bytes 0-9/4096", all[:10], false},
		{trouble.Changing, "bytes=10-19", 206, "Content-Range: bytes 10-19/4106", all[10:20], false},
		{trouble.NoRanges, "bytes=10-19", 200, "Content-Length: 4096", all, false},
		{trouble.HTML, "bytes=10-19", 200, "Content-Type: text/html; charset=utf-8", nil, false},
		{trouble.Redirect, "", 302, "Location: /f", nil, false},
		{trouble.Loop, "", 302, "Location: /f?fault=loop", nil, false},
		{"no-such", "", 400, "", nil, false},
	} {
		name := fmt.Sprintf("%s %s", c.kind, c.ranges)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/f?fault="+string(c.kind), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.ranges != "" {
			request.Header.Set("Range", c.ranges)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != c.status || c.broken != errors.Is(err, io.ErrUnexpectedEOF) || c.body != nil && !bytes.Equal(body, c.body) {
			t.Errorf("%s: %s, %d bytes, %v", name, response.Status, len(body), err)
		}
		if key, value, _ := strings.Cut(c.head, ": "); response.Header.Get(key) != value {
			t.Errorf("%s: %s is %q", name, key, response.Header.Get(key))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // silence has no other end
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/f?fault=silent", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(request); err == nil {
		_ = response.Body.Close()
		t.Errorf("silence answers %s", response.Status)
	}
}
