//go:build linux

package kernel

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// probeTimeout bounds a probe that names no bound.
const probeTimeout = 2 * time.Second

// Probe is one fresh connection out of a namespace; package agent describes
// its fields.
type Probe struct {
	Target   netip.AddrPort
	Protocol string
	Path     string
	Pad      int
	Bulk     bool
	Timeout  time.Duration
}

// ProbeResult is what came of a probe. Durations are measured from its start;
// what was not reached is 0.
type ProbeResult struct {
	Outcome                   Outcome
	Connect, FirstByte, Total time.Duration
	Bytes                     int64
	Detail                    string
	Wire                      Wire
}

// Probe runs one probe. Whatever happens on the network is a result.
func (n *Namespace) Probe(ctx context.Context, probe Probe) ProbeResult {
	timeout := probe.Timeout
	if timeout <= 0 {
		timeout = probeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	trace := &trace{start: time.Now()}
	defer trace.let()
	detail, err := n.probe(ctx, trace, probe)
	result := trace.result()
	result.Outcome = classify(err)
	result.Detail = detail
	if err != nil {
		result.Detail = err.Error()
	}
	return result
}

func (n *Namespace) probe(ctx context.Context, trace *trace, probe Probe) (detail string, err error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		conn, err := n.dial(ctx, trace.hold, "tcp", probe.Target.String())
		if err != nil {
			return nil, err
		}
		return trace.follow(ctx, conn), nil
	}
	switch probe.Protocol {
	case "tcp":
		conn, err := dial(ctx)
		if err != nil {
			return "", err
		}
		return "connected", conn.Close()
	case "talk":
		return probeTalk(ctx, dial, probe.Path)
	case "http":
		return probeHTTP(ctx, dial, probe)
	case "grpc":
		return probeGRPC(ctx, dial, trace, probe)
	case "udp":
		return n.probeUDP(ctx, trace, probe)
	case "dns":
		return n.probeDNS(ctx, trace, probe)
	default:
		return "", fmt.Errorf("protocol %q is not one of tcp, talk, http, grpc, udp, dns", probe.Protocol)
	}
}

// probeTalk says hello, if there is any, and waits for the first bytes of the answer.
func probeTalk(ctx context.Context, dial func(context.Context) (net.Conn, error), hello string) (detail string, err error) {
	conn, err := dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // the probe is over
	if _, err := io.WriteString(conn, hello); err != nil {
		return "", fmt.Errorf("write hello: %w", err)
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	return fmt.Sprintf("%q", answer[:n]), nil
}

// trace is the clock of a probe and what its connection saw.
type trace struct {
	start time.Time

	mu                 sync.Mutex
	connect, firstByte time.Duration
	bytes              int64
	err                error
	// socket is a second descriptor of the TCP connection, 0 for none.
	socket int
}

// follow makes a connection report to the trace, end with the context, and be
// closed with a reset, so that no probe lingers in anybody's tables.
func (t *trace) follow(ctx context.Context, conn net.Conn) net.Conn {
	t.mu.Lock()
	t.connect = time.Since(t.start)
	t.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok {
		// An error would show at the next read.
		_ = conn.SetDeadline(deadline)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return &followed{Conn: conn, trace: t}
}

func (t *trace) result() ProbeResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	return ProbeResult{
		Connect: t.connect, FirstByte: t.firstByte, Total: time.Since(t.start),
		Bytes: t.bytes, Wire: readWire(t.socket),
	}
}

// failure is the first error that the connection saw.
func (t *trace) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *trace) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

type followed struct {
	net.Conn
	trace *trace
}

// Read counts, and notes when the first byte came.
func (f *followed) Read(buffer []byte) (int, error) {
	size, err := f.Conn.Read(buffer)
	f.trace.mu.Lock()
	if size > 0 && f.trace.bytes == 0 {
		f.trace.firstByte = time.Since(f.trace.start)
	}
	f.trace.bytes += int64(size)
	f.trace.mu.Unlock()
	if err != nil {
		f.trace.failed(err)
	}
	return size, err
}

// Write notes an error.
func (f *followed) Write(buffer []byte) (int, error) {
	size, err := f.Conn.Write(buffer)
	if err != nil {
		f.trace.failed(err)
	}
	return size, err
}
