//go:build linux

package kernel

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestWireOfAHealthyConnection(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(8001)
	l.serveGRPC(8002, true, true)
	for _, probe := range []Probe{
		{Protocol: "tcp", Target: netip.AddrPortFrom(addressB, 8001)},
		{Protocol: "http", Target: netip.AddrPortFrom(addressB, 8001), Path: "/bulk", Bulk: true},
		{Protocol: "talk", Target: netip.AddrPortFrom(addressB, 8001), Path: "GET /healthy HTTP/1.0\r\n\r\n"},
		{Protocol: "grpc", Target: netip.AddrPortFrom(addressB, 8002), Bulk: true},
	} {
		probe.Timeout = soon
		got := l.a.Probe(t.Context(), probe)
		w := got.Wire
		if got.Outcome != OK || w.SegmentsOut < 2 || w.SegmentsIn < 1 || w.Retransmitted+w.OutOfOrder+w.Duplicated > 0 {
			t.Errorf("%s: %+v, want a quiet connection", probe.Protocol, got)
		}
		// Headers of IP 20, of TCP 20, timestamps 12.
		if w.PathMTU != 1500 || w.SendMSS != 1500-52 {
			t.Errorf("%s: path mtu %d and segments of %d, want 1500 and 1448", probe.Protocol, w.PathMTU, w.SendMSS)
		}
		// Nothing long has come.
		if probe.Protocol == "tcp" && (w.ReceiveMSS == 0 || w.ReceiveMSS > 536) {
			t.Errorf("tcp: receives segments of %d, want at most 536", w.ReceiveMSS)
		}
		if want := uint32(65536 / 1448); probe.Protocol == "http" && (w.ReceiveMSS != 1448 || w.SegmentsIn < want) {
			t.Errorf("%s: %d segments of %d, want at least %d of 1448", probe.Protocol, w.SegmentsIn, w.ReceiveMSS, want)
		}
	}
}

// A connection that fails has a wire as well, even one that never was.
func TestWireOfAFailedConnection(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(8001)
	server := netip.AddrPortFrom(addressB, 8001)
	var book Rulebook

	got := l.a.Probe(t.Context(), Probe{Protocol: "tcp", Target: netip.AddrPortFrom(addressB, 1), Timeout: soon})
	if got.Outcome != Refused || got.Wire.SegmentsOut != 1 || got.Wire.SegmentsIn != 1 || got.Wire.Retransmitted != 0 {
		t.Errorf("refused: %+v, want one segment each way", got)
	}

	// A SYN is sent again after one second, and Linux's first answers to silence are so
	// far apart.
	must(t, book.Add("cut", []Placement{{Namespace: l.b, Rule: Rule{Direction: Upstream, Ports: []uint16{8001}, Verdict: Drop}}}))
	got = l.a.Probe(t.Context(), Probe{Protocol: "tcp", Target: server, Timeout: 1500 * time.Millisecond})
	if got.Outcome != TimedOut || got.Wire.Retransmitted == 0 || got.Wire.SegmentsIn != 0 {
		t.Errorf("cut off: %+v, want a SYN sent again and nothing back", got)
	}
	must(t, book.Remove("cut"))
}

func TestWireSeesLostSegments(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(8001)
	server := netip.AddrPortFrom(addressB, 8001)
	var offloads Offloads
	var book Rulebook
	must(t, offloads.Disable("hole", []*Namespace{l.a, l.b}))
	long := Rule{Direction: Upstream, Ports: []uint16{8001}, LongerThan: narrow, Verdict: Drop}
	must(t, book.Add("hole", []Placement{{Namespace: l.b, Rule: long}}))
	padded := Probe{Protocol: "http", Target: server, Pad: 4000, Timeout: 3 * silence}
	if got := l.a.Probe(t.Context(), padded); got.Outcome != TimedOut || got.Wire.Retransmitted == 0 {
		t.Errorf("lost upstream: %+v, want segments sent again", got)
	}
	must(t, book.Remove("hole"))

	// What is lost on the way back is not the node's to send again.
	long.Direction, long.Ports, long.Originals = Downstream, nil, []netip.AddrPort{server}
	must(t, book.Add("hole", []Placement{{Namespace: l.a, Rule: long}}))
	bulk := Probe{Protocol: "http", Target: server, Path: "/bulk", Bulk: true, Timeout: 3 * silence}
	if got := l.a.Probe(t.Context(), bulk); got.Outcome != TimedOut || got.Wire.Retransmitted != 0 {
		t.Errorf("lost downstream: %+v, want nothing sent again", got)
	}
	must(t, book.Remove("hole"))
	bulk.Timeout = soon
	if got := l.a.Probe(t.Context(), bulk); got.Outcome != OK || got.Wire.Retransmitted+got.Wire.OutOfOrder > 0 {
		t.Errorf("healed: %+v", got)
	}
}

func TestWireSeesSegmentsOutOfOrder(t *testing.T) {
	l := newLab(t)
	server := netip.AddrPortFrom(addressB, 8001)
	l.serve(l.b, 8001, func(conn *net.TCPConn) {
		_, _ = conn.Write(make([]byte, 2000)) // a long segment and a short one
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	var offloads Offloads
	var book Rulebook
	must(t, offloads.Disable("hole", []*Namespace{l.b}))
	must(t, book.Add("hole", []Placement{{Namespace: l.a, Rule: Rule{
		Direction: Downstream, Originals: []netip.AddrPort{server}, LongerThan: narrow, Verdict: Drop,
	}}}))
	talk := Probe{Protocol: "talk", Target: server, Timeout: silence}
	if got := l.a.Probe(t.Context(), talk); got.Outcome != TimedOut || got.Wire.OutOfOrder != 1 {
		t.Errorf("%+v, want one segment out of order", got)
	}
}

func TestWireSeesDuplicates(t *testing.T) {
	l := newLab(t)
	server := netip.AddrPortFrom(addressB, 8001)
	l.serve(l.b, 8001, func(conn *net.TCPConn) {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	trace := &trace{start: time.Now()}
	defer trace.let()
	conn, err := l.a.dial(t.Context(), trace.hold, "tcp", server.String())
	must(t, err)
	defer conn.Close() //nolint:errcheck // the test is over

	// Without acknowledgements the client says again what has come.
	var book Rulebook
	must(t, book.Add("deaf", []Placement{{Namespace: l.a, Rule: Rule{
		Direction: Downstream, Originals: []netip.AddrPort{server}, Verdict: Drop,
	}}}))
	_, err = io.WriteString(conn, "said once")
	must(t, err)
	eventually(t, "the client says it again", func() bool { return readWire(trace.socket).Retransmitted > 0 })
	if got := readWire(trace.socket); got.Duplicated != 0 {
		t.Errorf("%+v, want no word of duplicates yet", got)
	}
	must(t, book.Remove("deaf"))
	eventually(t, "the server says that it came twice", func() bool { return readWire(trace.socket).Duplicated > 0 })
	if readWire(trace.socket).Retransmitted == 0 {
		t.Error("what was sent again is forgotten")
	}
}

func TestWireSeesAnMTU(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(8001)
	bulk := Probe{Protocol: "http", Target: netip.AddrPortFrom(addressB, 8001), Path: "/bulk", Bulk: true, Pad: 4000, Timeout: soon}
	previous, err := l.b.SetMTU(narrow)
	must(t, err)
	if got := l.a.Probe(t.Context(), bulk); got.Outcome != OK || got.Wire.ReceiveMSS != narrow-52 || got.Wire.SendMSS != narrow-52 || got.Wire.PathMTU != 1500 {
		t.Errorf("with a narrow server: %+v, want segments of %d each way", got, narrow-52)
	}
	_, err = l.b.SetMTU(previous)
	must(t, err)
	_, err = l.a.SetMTU(narrow)
	must(t, err)
	if got := l.a.Probe(t.Context(), bulk); got.Outcome != OK || got.Wire.PathMTU != narrow || got.Wire.SendMSS != narrow-52 {
		t.Errorf("with a narrow client: %+v, want a path of %d", got, narrow)
	}
	_, err = l.a.SetMTU(previous)
	must(t, err)
	if got := l.a.Probe(t.Context(), bulk); got.Wire.PathMTU != 1500 || got.Wire.ReceiveMSS != 1448 {
		t.Errorf("healed: %+v", got)
	}
}

// Each probe holds a descriptor of its own until its end.
func TestProbesLeaveNoDescriptors(t *testing.T) {
	l := newLab(t)
	l.serveHTTP(8001)
	ends := []netip.AddrPort{netip.AddrPortFrom(addressB, 8001), netip.AddrPortFrom(addressB, 1)}
	for _, end := range ends {
		trace := &trace{start: time.Now()}
		_, _ = l.a.probe(t.Context(), trace, Probe{Protocol: "tcp", Target: end})
		held := trace.socket
		if held == 0 || readWire(held) == (Wire{}) {
			t.Fatalf("%s: no descriptor held", end)
		}
		trace.let()
		if trace.socket != 0 {
			t.Errorf("%s: descriptor %d is kept", end, held)
		}
	}
}
