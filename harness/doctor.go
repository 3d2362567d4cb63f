package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Doctor returns a function for Eventually: what the doctor on a peer finds wrong, or
// well, as somebody in the peer's container would run it.
func (b *Bed) Doctor(peer topology.Node) func(context.Context) ([]system.Finding, error) {
	return func(ctx context.Context) ([]system.Finding, error) {
		d, ok := b.session.System.(system.Doctoring)
		if !ok {
			return nil, fmt.Errorf("%s has no doctor: use needs(\"doctor\")", b.session.System.Name())
		}
		ctx, cancel := context.WithTimeout(ctx, Examination)
		defer cancel()
		defer b.noteOwn(ctx, peer)()
		stdout, stderr, code, err := b.session.Engine.Exec(ctx, b.Container(peer.Name), d.Doctor(b.topo, peer))
		if err := b.final(err); err != nil {
			return nil, err
		}
		found, err := d.Findings(stdout)
		if err != nil {
			return nil, fmt.Errorf("doctor on %s ended with status %d: %w: %s", peer.Name, code, err, strings.TrimSpace(string(stderr)))
		}
		for i := range found {
			found[i].Target = b.byName(found[i].Target)
		}
		return found, nil
	}
}

// noteOwn returns a function that takes the connections which a node has opened since for
// ours: its doctor tries every port, again and again, and that is no attempt to join.
func (b *Bed) noteOwn(ctx context.Context, n topology.Node) func() {
	before, err := b.ledger(ctx)
	return func() {
		after, errAfter := b.ledger(ctx)
		if err != nil || errAfter != nil {
			return // then they count
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, l := range after.Since(before) {
			if l.Client == n.Name {
				b.dialled[fault.Edge{Client: l.Client, Server: l.Server, Port: l.Port}] += l.Conns
			}
		}
	}
}

// byHandWithin bounds a check by hand: nc -w 3, curl -m 3.
const byHandWithin = 3 * time.Second

// What an operator sees who tries a port by hand.
const (
	PortOpen   = "open"
	PortSilent = "no answer"
)

// Connects returns a function for Eventually: what an operator on one node sees who
// tries a port of another: PortOpen, PortSilent, or the error of the system.
func (b *Bed) Connects(from, to topology.Node, port int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, byHandWithin)
		defer cancel()
		conn, err := b.byHand(ctx, from, to, port)
		switch {
		case ctx.Err() != nil:
			return PortSilent, b.final(nil)
		case err != nil:
			return err.Error(), b.final(nil)
		}
		return PortOpen, conn.Close()
	}
}

// Carries returns a function for Eventually: whether an answer of so many bytes from a
// port of another node arrives, as an operator sees who lowers the length until it does.
func (b *Bed) Carries(from, to topology.Node, port, bytes int) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*byHandWithin)
		defer cancel()
		conn, err := b.byHand(ctx, from, to, port)
		if err != nil {
			return false, b.final(nil)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(byHandWithin)); err != nil {
			return false, fmt.Errorf("probe %s from %s: %w", to.Name, from.Name, err)
		}
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		}}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/probe?bytes=%d", to.Name, bytes), nil)
		if err != nil {
			return false, fmt.Errorf("probe %s from %s: %w", to.Name, from.Name, err)
		}
		response, err := client.Do(request)
		if err != nil {
			return false, b.final(nil)
		}
		defer func() { _ = response.Body.Close() }()
		n, err := io.Copy(io.Discard, response.Body)
		return err == nil && n == int64(bytes), b.final(nil)
	}
}

func (b *Bed) byHand(ctx context.Context, from, to topology.Node, port int) (net.Conn, error) {
	target := netip.AddrPortFrom(b.nodes[to.Name].address, uint16(port)) //nolint:gosec // a port
	return b.inside().Dial(ctx, from.Name, target.String())
}
