package workload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	"github.com/faultbed/faultbed/harness/system"
)

// command is a client in its container that leaves a file there.
type command struct {
	ground Ground
	under  system.System
	cmd    []string
	path   string
}

func (c command) fetch(ctx context.Context) (got arrival, trouble error) {
	stdout, stderr, code, err := c.ground.Exec(ctx, c.cmd)
	if err != nil {
		return arrival{}, err
	}
	got.claim, err = c.under.Claim(stdout)
	switch {
	case err != nil && code != 0:
		got.failed = fmt.Sprintf("exit status %d: %s", code, bytes.TrimSpace(stderr))
	case err != nil:
		got.failed = err.Error()
	case code != 0 || !got.claim.OK:
		got.failed = fmt.Sprintf("exit status %d: %s", code, got.claim.Error)
	}
	got.sha256, got.bytes, err = c.ground.Hash(ctx, c.path)
	switch {
	case err == nil:
		return got, nil
	case !errors.Is(err, fs.ErrNotExist):
		return got, err
	case got.failed == "":
		got.failed = "it says that it ended well, and left no file"
	}
	return got, nil
}

// Dial connects to a proxy.
type Dial func(ctx context.Context) (net.Conn, error)

// proxied is a client that asks an HTTP proxy. Whatever fails on the way is the
// system's: the way itself is tried by whoever dials.
type proxied struct {
	url  string
	dial Dial
}

func (p proxied) fetch(ctx context.Context) (got arrival, trouble error) {
	transport := &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		// The name is never looked up: dial knows where the proxy is.
		Proxy:       http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy"}),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return arrival{}, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return arrival{failed: err.Error()}, nil
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	sum := sha256.New()
	got.bytes, err = io.Copy(sum, response.Body)
	got.sha256 = hex.EncodeToString(sum.Sum(nil))
	switch {
	case response.StatusCode != http.StatusOK:
		got.failed = response.Status
	case err != nil:
		got.failed = err.Error()
	}
	return got, nil
}
