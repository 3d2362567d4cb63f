// Package wire opens the connections of the swarm: gRPC clients that remember the
// transport's own last error, gRPC servers with health and reflection, and HTTP
// transfers that notice when nothing moves. It carries no knowledge of what is sent.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// Conn is a gRPC connection to one target. After a failure it is closed and a
// new one opened, so that names are looked up again and no dead TCP connection
// is waited for.
type Conn struct {
	*grpc.ClientConn
	Target    string
	transport *transport
}

// readBuffer is what each connection keeps for reading, in bytes: a supernode has one to
// each of its peers, which seldom say more than that at once. The default is 32 KiB.
const readBuffer = 4 << 10

// Dial prepares a connection to host:port; the first call connects.
func (n Network) Dial(target string) (*Conn, error) {
	tr, profile := &transport{network: n}, n.Profile
	client, err := grpc.NewClient("passthrough:///"+target,
		grpc.WithContextDialer(tr.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithConnectParams(grpc.ConnectParams{
			// The default of 120 s would keep a peer out long after the network healed.
			Backoff: backoff.Config{
				BaseDelay: profile.RetryInitial, Multiplier: 1.6, Jitter: 0.2, MaxDelay: profile.RetryMax,
			},
			MinConnectTimeout: profile.DialTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			// A lease: the heartbeats of the streams are the first to notice, in every profile.
			Time: max(profile.Lease, minKeepalive), Timeout: profile.StallTimeout, PermitWithoutStream: true,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("prepare connection to %s: %w", target, err)
	}
	return &Conn{ClientConn: client, Target: target, transport: tr}, nil
}

// IP returns the far end's address as far as it was resolved.
func (c *Conn) IP() string {
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	return c.transport.ip
}

// Explain adds what the transport itself met last to the error of a call.
func (c *Conn) Explain(err error) error {
	if err == nil {
		return nil
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Unknown:
	default:
		return err
	}
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	if c.transport.last == nil {
		return err
	}
	return &explained{call: err, transport: c.transport.last}
}

// Check asks the far end's health service whether it serves.
func (c *Conn) Check(ctx context.Context) error {
	reply, err := grpc_health_v1.NewHealthClient(c.ClientConn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return c.Explain(err)
	}
	if reply.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health of %s is %s", c.Target, reply.GetStatus())
	}
	return nil
}

// explained is a failed call together with the transport's own error.
type explained struct{ call, transport error }

func (e *explained) Error() string   { return e.transport.Error() }
func (e *explained) Unwrap() []error { return []error{e.transport, e.call} }

// transport dials and remembers.
type transport struct {
	network Network

	mu   sync.Mutex
	ip   string
	last error
}

func (t *transport) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := t.network.connect(ctx, "tcp", addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
	if err != nil {
		if ip := IPOf(err); ip != "" {
			t.ip = ip
		}
		return nil, err
	}
	t.ip = hostOf(conn.RemoteAddr())
	return &watched{Conn: conn, transport: t, addr: addr}, nil
}

func (t *transport) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
}

// watched tells the transport how its connection ended.
type watched struct {
	net.Conn
	transport *transport
	addr      string
	answered  bool // set by the one goroutine that reads
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.answered = true
	}
	switch {
	case err == nil:
	case errors.Is(err, net.ErrClosed):
		// gRPC hangs up on a far end that accepts and never says a word.
		if !w.answered {
			w.transport.note(fmt.Errorf("connect to %s: accepted, but no answer: %w", w.addr, os.ErrDeadlineExceeded))
		}
	case errors.Is(err, io.EOF):
		w.transport.note(fmt.Errorf("%s closed the connection: %w", w.addr, io.EOF))
	default:
		w.transport.note(err)
	}
	return n, err
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		w.transport.note(err)
	}
	return n, err
}

// IPOf returns the address that a failed dial was aimed at, if it got that far.
func IPOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return hostOf(op.Addr)
	}
	return ""
}

func hostOf(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	return host
}
