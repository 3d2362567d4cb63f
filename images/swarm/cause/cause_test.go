package cause_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
)

// mute hides the text of an error, so that only its number can tell the cause.
type mute struct{ error }

func (m mute) Error() string { return "mute" }
func (m mute) Unwrap() error { return m.error }

func dial(errno syscall.Errno) error {
	return mute{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}}
}

// Seen red by taking single rows out of the tables in cause.go.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want cause.Cause
	}{
		{"nothing", nil, ""},
		{"refused", dial(syscall.ECONNREFUSED), cause.Refused},
		{"wrapped by http", &url.Error{Op: "Get", URL: "http://a/", Err: dial(syscall.ECONNREFUSED)}, cause.Refused},
		{"no route", dial(syscall.EHOSTUNREACH), cause.Unreachable},
		{"no network", dial(syscall.ENETUNREACH), cause.Unreachable},
		{"kernel gave up", dial(syscall.ETIMEDOUT), cause.TimedOut},
		{"reset", fmt.Errorf("read piece 3: %w", dial(syscall.ECONNRESET)), cause.Reset},
		{"own descriptors", dial(syscall.EMFILE), cause.TooManyFiles},
		{"system's descriptors", dial(syscall.ENFILE), cause.TooManyFiles},
		{"name", &net.DNSError{Err: "no such host", Name: "seed-1", IsNotFound: true}, cause.NoSuchHost},
		{"name server", &net.DNSError{Err: "server misbehaving", Name: "seed-1", IsTemporary: true}, cause.BadAnswer},
		{"name server, of a call", status.Error(codes.Unavailable, "dial tcp: lookup seed-1 on 127.0.0.11:53: server misbehaving"), cause.BadAnswer},
		{"name server silent", &net.DNSError{Err: "i/o timeout", Name: "seed-1", IsTimeout: true}, cause.TimedOut},
		{"name without descriptors", &net.DNSError{Err: "dial udp 127.0.0.11:53: socket: too many open files", Name: "seed-1"}, cause.TooManyFiles},
		{"deadline", fmt.Errorf("call: %w", context.DeadlineExceeded), cause.TimedOut},
		{"socket deadline", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, cause.TimedOut},
		{"status deadline", status.Error(codes.DeadlineExceeded, "too late"), cause.TimedOut},
		{"status text", status.Error(codes.Unavailable, `transport: dial tcp 10.0.0.1:8002: connect: connection refused`), cause.Refused},
		{"status without text", status.Error(codes.Unavailable, "closing"), cause.Closed},
		{"keepalive", status.Error(codes.Unavailable, "keepalive ping failed to receive ACK within timeout"), cause.Stalled},
		{"end", io.EOF, cause.Closed},
		{"cut off", fmt.Errorf("read piece 1: %w", io.ErrUnexpectedEOF), cause.Closed},
		{"stall", fmt.Errorf("piece 4: %w", cause.ErrStalled), cause.Stalled},
		{"version", fmt.Errorf("%w: 3.0 and 2.2", swarm.ErrVersionMismatch), cause.VersionMismatch},
		{"digest", fmt.Errorf("piece 1: %w", cause.ErrCorrupt), cause.Corrupt},
		{"status 404", fmt.Errorf("%w: status 404", cause.ErrBadAnswer), cause.BadAnswer},
		{"anything else", errors.New("odd"), cause.BadAnswer},
	} {
		if got := cause.Of(c.err); got != c.want {
			t.Errorf("%s: %q instead of %q (%v)", c.name, got, c.want, c.err)
		}
	}
}

func TestRefusalKeepsItsCauseAcrossTheWire(t *testing.T) {
	why := fmt.Errorf("peer p at 10.0.0.5:65000 cannot be called back: %w", dial(syscall.EHOSTUNREACH))
	received := fmt.Errorf("register: %w", cause.Refuse(codes.FailedPrecondition, "10.0.0.5:65000", why))
	if got := cause.Of(received); got != cause.Unreachable {
		t.Errorf("cause %q", got)
	}
	if r := cause.RefusalOf(received); r.GetTarget() != "10.0.0.5:65000" || r.GetReason() != why.Error() {
		t.Errorf("refusal %v", r)
	}
}
