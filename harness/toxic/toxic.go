// Package toxic drives the toxiproxy of one bed: it lays links, reads how many bytes
// passed over each, and puts typed toxics on them. It is the only door to
// toxiproxy's client.
//
//	proxy := toxic.Connect("http://127.0.0.1:49153")
//	err := proxy.AddLinks(ctx, links)
//	err = proxy.Add(ctx, "peer-1>seed-1:65002", "slow", toxic.Latency{Delay: time.Second})
package toxic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

// callTimeout bounds every call to the control API: removing a toxic from a stalled
// connection was seen to block for 25 s and more.
const callTimeout = 3 * time.Second

// Link is a listener of its own for one client's way to one port of one server.
type Link struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`   // address:port in the proxy's namespace
	Upstream string `json:"upstream"` // the server's address:port
}

// Count is what passed over a link so far, in payload bytes.
type Count struct {
	Up    int64 `json:"up"`
	Down  int64 `json:"down"`
	Conns int64 `json:"conns"`
}

// Proxy is the control API of one toxiproxy.
type Proxy struct {
	endpoint string
	http     *http.Client
	client   *toxiproxy.Client

	mu    sync.Mutex
	links map[string]*laid
}

// laid is a link as it should be. Toxiproxy cannot be asked: showing a proxy waits
// for the same lock that a hanging removal holds.
type laid struct {
	link   Link
	toxics map[string]Toxic
	broken bool
}

// Connect returns a Proxy for the control API at endpoint, a URL. It sends nothing.
func Connect(endpoint string) *Proxy {
	return &Proxy{
		endpoint: endpoint,
		http:     &http.Client{Timeout: callTimeout},
		client:   toxiproxy.NewClient(endpoint),
		links:    map[string]*laid{},
	}
}

// Answers reports whether the control API answers.
func (p *Proxy) Answers(ctx context.Context) error {
	_, err := p.call(ctx, http.MethodGet, "/version", nil)
	return err
}

// restartPoll is the pace at which a toxiproxy that starts anew is asked whether it has.
const restartPoll = 20 * time.Millisecond

// Restart lets toxiproxy start anew, and returns when it has, without any link, toxic, count
// or connection, or when ctx ends.
func (p *Proxy) Restart(ctx context.Context) error {
	// The new process takes the old one's place in the middle of the answer, so there is
	// none; that it is another one is seen by what it knows.
	_, asked := p.call(ctx, http.MethodPost, "/restart", nil)
	p.mu.Lock()
	p.links = map[string]*laid{}
	p.mu.Unlock()
	again := time.NewTicker(restartPoll)
	defer again.Stop()
	for {
		err := p.blank(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("restart toxiproxy: %w", errors.Join(err, asked))
		case <-again.C:
		}
	}
}

// blank fails while toxiproxy has a link, or a count of one.
func (p *Proxy) blank(ctx context.Context) error {
	counts, err := p.Ledger(ctx)
	if err != nil {
		return err
	}
	links, err := p.Config(ctx)
	if err != nil {
		return err
	}
	if links = bytes.TrimSpace(links); len(counts) > 0 || string(links) != "{}" {
		return fmt.Errorf("it has counts of %d links, and links %.100s", len(counts), links)
	}
	return nil
}

// AddLinks opens all links in one batch, each with its counters in place before it
// accepts.
func (p *Proxy) AddLinks(ctx context.Context, links []Link) error {
	body, err := json.Marshal(links)
	if err != nil {
		return fmt.Errorf("encode links: %w", err)
	}
	if _, err = p.call(ctx, http.MethodPost, "/links", body); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range links {
		p.links[l.Name] = &laid{link: l, toxics: map[string]Toxic{}}
	}
	return nil
}

// Ledger returns the counts of every link that was ever used, by name.
func (p *Proxy) Ledger(ctx context.Context) (map[string]Count, error) {
	body, err := p.call(ctx, http.MethodGet, "/ledger", nil)
	if err != nil {
		return nil, err
	}
	var counts map[string]Count
	if err := json.Unmarshal(body, &counts); err != nil {
		return nil, fmt.Errorf("decode ledger: %w", err)
	}
	return counts, nil
}

// hungFor is how long toxiproxy may hold the lock that showing its proxies waits for: 5 s for
// each connection whose client has gone without taking what a toxic held back.
const hungFor = 25 * time.Second

// Config returns toxiproxy's own view of all proxies and toxics, as JSON. It waits for a
// removal that hangs.
func (p *Proxy) Config(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, hungFor)
	defer cancel()
	for {
		config, err := p.call(ctx, http.MethodGet, "/proxies", nil)
		var slow net.Error
		if !errors.As(err, &slow) || !slow.Timeout() || ctx.Err() != nil {
			return config, err
		}
	}
}

// Residue lists the toxics on any link that are not the counters of the ledger, as
// "name on link", sorted.
func (p *Proxy) Residue(ctx context.Context) ([]string, error) {
	body, err := p.Config(ctx)
	if err != nil {
		return nil, err
	}
	var proxies map[string]struct {
		Toxics []struct{ Name, Type string } `json:"toxics"`
	}
	if err := json.Unmarshal(body, &proxies); err != nil {
		return nil, fmt.Errorf("decode toxics: %w", err)
	}
	var left []string
	for link, proxy := range proxies {
		for _, t := range proxy.Toxics {
			if t.Type != "ledger" {
				left = append(left, t.Name+" on "+link)
			}
		}
	}
	slices.Sort(left)
	return left, nil
}

// Add puts a toxic under a name of its own on a link.
func (p *Proxy) Add(ctx context.Context, link, name string, t Toxic) error {
	p.mu.Lock()
	l, ok := p.links[link]
	if ok {
		l.toxics[name] = t // known before it is there, so that Remove finds what a failed Add left
	}
	p.mu.Unlock()
	if !ok {
		return fmt.Errorf("add toxic %s: no link %s", name, link)
	}
	return p.add(ctx, link, name, t)
}

func (p *Proxy) add(ctx context.Context, link, name string, t Toxic) error {
	for i, o := range t.options() {
		o.ProxyName, o.ToxicName = link, part(name, i)
		err := within(ctx, fmt.Sprintf("add toxic %s to %s", name, link), func() error {
			_, err := p.client.AddToxic(&o)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// part names the parts of a toxic that toxiproxy knows as several.
func part(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s.%d", name, i)
}

// Remove takes the toxic of that name off a link. A toxic that is not there is no
// error. When the removal hangs on a stalled connection the link is laid anew with
// its other toxics, which ends the link's open connections.
func (p *Proxy) Remove(ctx context.Context, link, name string) error {
	p.mu.Lock()
	l, ok := p.links[link]
	var t Toxic
	var broken bool
	if ok {
		t, broken = l.toxics[name], l.broken
	}
	p.mu.Unlock()
	switch {
	case t == nil:
		return nil
	case broken: // what is not there would be taken for removed
		return p.renew(ctx, l, name)
	}
	for i := range t.options() {
		err := within(ctx, fmt.Sprintf("remove toxic %s from %s", name, link), func() error {
			return p.client.RemoveToxic(&toxiproxy.ToxicOptions{ProxyName: link, ToxicName: part(name, i)})
		})
		switch {
		case err == nil, strings.Contains(err.Error(), "HTTP 404"): // never arrived; the client wraps no status
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return p.renew(ctx, l, name) // without any part of it
		default:
			return err
		}
	}
	p.forget(l, name)
	return nil
}

func (p *Proxy) forget(l *laid, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(l.toxics, name)
}

// renew deletes a link and lays it again with the toxics that it has, but for one. Until
// that has been done the link is broken.
func (p *Proxy) renew(ctx context.Context, l *laid, without string) error {
	p.mu.Lock()
	l.broken = true
	toxics := maps.Clone(l.toxics)
	p.mu.Unlock()
	delete(toxics, without)
	if _, err := p.call(ctx, http.MethodDelete, "/proxies/"+url.PathEscape(l.link.Name), nil); err != nil && !strings.Contains(err.Error(), "404") {
		return fmt.Errorf("renew link %s: %w", l.link.Name, err)
	}
	if err := p.AddLinks(ctx, []Link{l.link}); err != nil {
		return fmt.Errorf("renew link %s: %w", l.link.Name, err)
	}
	for name, t := range toxics {
		if err := p.Add(ctx, l.link.Name, name, t); err != nil {
			return fmt.Errorf("renew link %s: %w", l.link.Name, err)
		}
	}
	return nil
}

// within runs call, which takes no context, under a deadline. A call that overruns
// is left behind; the control API ends it after 25 s at the latest.
func within(ctx context.Context, what string, call func() error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
}

func (p *Proxy) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("toxiproxy %s: %w", path, err)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("toxiproxy %s: %w", path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("toxiproxy %s: %w", path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("toxiproxy %s: %s: %s", path, resp.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
