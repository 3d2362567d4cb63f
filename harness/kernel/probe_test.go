//go:build linux

package kernel

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// serveHTTP is a node's health port.
func (l *lab) serveHTTP(port uint16) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthy", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Padding", strings.Repeat("x", min(len(r.Header.Get("X-Pad")), 10)))
	})
	mux.HandleFunc("/bulk", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 65536)) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: soon}
	l.tb.Cleanup(func() { _ = server.Close() })
	listener := l.listen(l.b, port)
	go func() { _ = server.Serve(listener) }()
}

// serveGRPC is a node's gRPC port, with health and, if wished, reflection.
func (l *lab) serveGRPC(port uint16, healthy, reflecting bool) {
	server := grpc.NewServer()
	if healthy {
		grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	}
	if reflecting {
		reflection.Register(server)
	}
	l.tb.Cleanup(server.Stop)
	listener := l.listen(l.b, port)
	go func() { _ = server.Serve(listener) }()
}

func TestProbeOutcomes(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(8001)
	l.serveGRPC(8002, true, true)
	l.serveGRPC(8003, false, false)
	l.serve(l.b, 8004, func(conn *net.TCPConn) { // takes the request, then resets
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.SetLinger(0)
		_ = conn.Close()
	})
	l.serve(l.b, 8005, func(conn *net.TCPConn) { // takes the request, then closes
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	l.serve(l.b, 8006, func(conn *net.TCPConn) { // says nothing
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	b := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(addressB, port) }
	elsewhere := netip.MustParseAddrPort("198.51.100.1:1")

	for name, c := range map[string]struct {
		probe  Probe
		want   Outcome
		detail string
		bytes  int64 // at least
	}{
		"tcp ok":                   {Probe{Target: b(8001), Protocol: "tcp"}, OK, "connected", 0},
		"talk ok":                  {Probe{Target: b(8001), Protocol: "talk", Path: "GET /bulk HTTP/1.0\r\n\r\n"}, OK, "HTTP/1.0 200", 0},
		"talk timeout":             {Probe{Target: b(8006), Protocol: "talk"}, TimedOut, "", 0},
		"tcp refused":              {Probe{Target: b(1), Protocol: "tcp"}, Refused, "refused", 0},
		"tcp unreachable":          {Probe{Target: elsewhere, Protocol: "tcp"}, Unreachable, "unreachable", 0},
		"http ok":                  {Probe{Target: b(8001), Protocol: "http"}, OK, "200 OK", 17},
		"http any status is one":   {Probe{Target: b(8001), Protocol: "http", Path: "/absent"}, OK, "404", 17},
		"http padded":              {Probe{Target: b(8001), Protocol: "http", Pad: 4000}, OK, "200 OK", 17},
		"http bulk":                {Probe{Target: b(8001), Protocol: "http", Path: "/bulk", Bulk: true}, OK, "200 OK", 65536},
		"http head is enough":      {Probe{Target: b(8001), Protocol: "http", Path: "/bulk"}, OK, "200 OK", 17},
		"http refused":             {Probe{Target: b(1), Protocol: "http"}, Refused, "refused", 0},
		"http reset":               {Probe{Target: b(8004), Protocol: "http"}, WasReset, "reset", 0},
		"http closed":              {Probe{Target: b(8005), Protocol: "http"}, Closed, "EOF", 0},
		"http timeout":             {Probe{Target: b(8006), Protocol: "http"}, TimedOut, "timeout", 0},
		"grpc ok":                  {Probe{Target: b(8002), Protocol: "grpc"}, OK, "SERVING", 20},
		"grpc padded":              {Probe{Target: b(8002), Protocol: "grpc", Pad: 4000}, OK, "SERVING", 20},
		"grpc bulk":                {Probe{Target: b(8002), Protocol: "grpc", Bulk: true}, OK, "reflection of", 5000},
		"grpc any status is one":   {Probe{Target: b(8003), Protocol: "grpc"}, OK, "Unimplemented", 20},
		"grpc bulk, no reflection": {Probe{Target: b(8003), Protocol: "grpc", Bulk: true}, OK, "Unimplemented", 20},
		"grpc refused":             {Probe{Target: b(1), Protocol: "grpc"}, Refused, "refused", 0},
		"grpc reset":               {Probe{Target: b(8004), Protocol: "grpc"}, WasReset, "reset", 0},
		"grpc closed":              {Probe{Target: b(8005), Protocol: "grpc"}, Closed, "EOF", 0},
		"grpc timeout":             {Probe{Target: b(8006), Protocol: "grpc"}, TimedOut, "", 0},
		"unknown protocol":         {Probe{Target: b(8001), Protocol: "quic"}, Failed, "quic", 0},
	} {
		c.probe.Timeout = soon
		if c.want == TimedOut {
			c.probe.Timeout = silence
		}
		got := l.a.Probe(t.Context(), c.probe)
		if got.Outcome != c.want || !strings.Contains(got.Detail, c.detail) || got.Bytes < c.bytes {
			t.Errorf("%s: %+v, want %s, %q and %d bytes", name, got, c.want, c.detail, c.bytes)
		}
		if !c.probe.Bulk && got.Bytes > 5000 {
			t.Errorf("%s: read %d bytes that nobody asked for", name, got.Bytes)
		}
		if got.Total <= 0 || got.Total > c.probe.Timeout+time.Second {
			t.Errorf("%s: took %s", name, got.Total)
		}
		if got.Outcome == OK && got.Connect <= 0 || got.Bytes > 0 && got.FirstByte < got.Connect {
			t.Errorf("%s: times out of order: %+v", name, got)
		}
	}
}

// A large answer that stops half-way is no answer, however it is asked for.
func TestBulkProbeNeedsTheWholeAnswer(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(65002)
	l.serveGRPC(65000, true, true)
	web, rpc := l.link(65002, 20002), l.link(65000, 20000)
	l.steer(web, rpc)
	var offloads Offloads
	var book Rulebook
	must(t, offloads.Disable("hole", []*Namespace{l.a, l.t}))
	fault := downstream(l, Drop, web, rpc)
	fault.Rule.LongerThan = narrow
	must(t, book.Add("hole", []Placement{fault}))

	for _, small := range []Probe{{Target: web.server, Protocol: "http"}, {Target: rpc.server, Protocol: "grpc"}} {
		small.Timeout = soon
		if got := l.a.Probe(t.Context(), small); got.Outcome != OK {
			t.Errorf("small %s: %+v", small.Protocol, got)
		}
	}
	for _, bulk := range []Probe{{Target: web.server, Protocol: "http", Path: "/bulk"}, {Target: rpc.server, Protocol: "grpc"}} {
		bulk.Bulk, bulk.Timeout = true, 2*silence
		if got := l.a.Probe(t.Context(), bulk); got.Outcome != TimedOut {
			t.Errorf("bulk %s: %+v, want a timeout", bulk.Protocol, got)
		}
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	l := newLab(t)
	l.serve(l.b, 8006, func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn); _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), silence)
	defer cancel()
	for _, protocol := range []string{"http", "grpc"} {
		got := l.a.Probe(ctx, Probe{Target: netip.AddrPortFrom(addressB, 8006), Protocol: protocol, Timeout: soon})
		if got.Outcome != TimedOut || got.Total > soon/2 {
			t.Errorf("%s: %+v, want a timeout after %s", protocol, got, silence)
		}
	}
}
