package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// idlePerHost is how many idle HTTP connections are kept to one far end.
const idlePerHost = 4

// HTTPClient makes a client whose every phase is bounded, and which never
// takes a detour through a proxy named in the environment.
func (n Network) HTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:           n.connect,
			ResponseHeaderTimeout: n.Profile.StallTimeout,
			IdleConnTimeout:       n.Profile.Lease,
			MaxIdleConnsPerHost:   idlePerHost,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Transfer is one HTTP GET whose body must keep moving.
type Transfer struct {
	*http.Response
	ctx    context.Context //nolint:containedctx // its cause tells a stall from a cancel
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
	ip     *remembered
}

type remembered struct {
	mu sync.Mutex
	ip string
}

// Get starts a transfer of url. rangeHeader may be empty. The transfer fails with
// cause.ErrStalled when no byte comes for the stall limit.
func Get(ctx context.Context, client *http.Client, url, rangeHeader string, profile timers.Profile) (*Transfer, string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	seen := &remembered{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.ip = hostOf(info.Conn.RemoteAddr())
	}})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel(nil)
		return nil, "", fmt.Errorf("request %s: %w", url, err)
	}
	if rangeHeader != "" {
		request.Header.Set("Range", rangeHeader)
	}
	response, err := client.Do(request) //nolint:bodyclose // the Transfer owns it, and Close closes it
	if err != nil {
		cancel(nil)
		ip := seen.get()
		if ip == "" {
			return nil, IPOf(err), err
		}
		// Connected, asked, and heard nothing: not the far end's address but the path,
		// or the far end itself, is at fault, and the cause must tell these apart.
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			err = fmt.Errorf("%w of %s: %w", cause.ErrStalled, profile.StallTimeout, err)
		}
		return nil, ip, err
	}
	t := &Transfer{Response: response, ctx: ctx, cancel: cancel, stall: profile.StallTimeout, ip: seen}
	t.timer = time.AfterFunc(t.stall, func() { cancel(cause.ErrStalled) })
	return t, seen.get(), nil
}

func (r *remembered) get() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ip
}

// Read reads the body; each byte of progress winds the stall limit up again.
func (t *Transfer) Read(p []byte) (int, error) {
	n, err := t.Body.Read(p)
	if n > 0 {
		t.timer.Reset(t.stall)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if why := context.Cause(t.ctx); errors.Is(why, cause.ErrStalled) {
			err = fmt.Errorf("%w of %s", why, t.stall)
		}
	}
	return n, err
}

// Close ends the transfer, finished or not.
func (t *Transfer) Close() error {
	t.timer.Stop()
	err := t.Body.Close()
	t.cancel(nil)
	return err
}
