package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// end is one side of a connection: a net.Conn.
type end struct {
	net           *Network
	pair          *pair
	network       string
	local, remote net.Addr
	in, out       *flow

	// All below is guarded by the network's mu.
	wake        chan struct{} // closed and replaced at each change
	closed      bool
	finished    bool  // no more is written
	failed      error // the far end, or a fault, reset the connection
	read, write limit
}

// limit is a deadline.
type limit struct {
	at    time.Time
	timer *time.Timer
}

func (l *limit) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

// ring lets calls that wait look again. The caller holds mu.
func (e *end) ring() {
	close(e.wake)
	e.wake = make(chan struct{})
}

// Read implements net.Conn.
func (e *end) Read(p []byte) (int, error) {
	for {
		n, wake, err := e.readNow(p)
		if wake == nil {
			return n, err
		}
		<-wake
	}
}

func (e *end) readNow(p []byte) (n int, wake <-chan struct{}, err error) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	switch {
	case e.closed:
		return 0, nil, e.wrap("read", net.ErrClosed)
	case e.read.passed():
		return 0, nil, e.wrap("read", os.ErrDeadlineExceeded)
	case len(p) == 0:
		return 0, nil, nil
	case len(e.in.ready) > 0:
		return e.in.take(p), nil, nil
	case e.failed != nil:
		return 0, nil, e.wrap("read", os.NewSyscallError("read", e.failed))
	case e.in.ended:
		return 0, nil, io.EOF
	}
	return 0, e.wake, nil
}

// Write implements net.Conn. It blocks while too much is under way.
func (e *end) Write(p []byte) (int, error) {
	for sent := 0; ; {
		n, wake, err := e.writeNow(p[sent:])
		sent += n
		switch {
		case err != nil || sent == len(p):
			return sent, err
		case wake != nil:
			<-wake
		}
	}
}

func (e *end) writeNow(p []byte) (n int, wake <-chan struct{}, err error) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	switch {
	case e.closed:
		return 0, nil, e.wrap("write", net.ErrClosed)
	case e.write.passed():
		return 0, nil, e.wrap("write", os.ErrDeadlineExceeded)
	case e.failed != nil:
		return 0, nil, e.wrap("write", os.NewSyscallError("write", e.failed))
	case e.finished:
		return 0, nil, e.wrap("write", os.NewSyscallError("write", syscall.EPIPE))
	case len(p) == 0:
		return 0, nil, nil
	}
	if n = min(e.out.room(), len(p), segmentBytes); n == 0 {
		return 0, e.wake, nil
	}
	e.out.push(segment{data: append([]byte(nil), p[:n]...)})
	return n, nil, nil
}

// Close implements net.Conn. As on Linux, the far end is reset if there is something
// that nobody read.
func (e *end) Close() error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed {
		return e.wrap("close", net.ErrClosed)
	}
	if len(e.in.ready) > 0 {
		e.abort()
		return nil
	}
	e.shut()
	if e.failed == nil && !e.finished {
		e.finished = true
		e.out.push(segment{fin: true})
	}
	return nil
}

// CloseWrite ends what is written, as that of net.TCPConn.
func (e *end) CloseWrite() error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed {
		return e.wrap("close", net.ErrClosed)
	}
	if e.failed == nil && !e.finished {
		e.finished = true
		e.out.push(segment{fin: true})
	}
	return nil
}

// abort closes the end and resets the far one. The caller holds mu.
func (e *end) abort() {
	e.shut()
	e.out.push(segment{rst: true})
}

// shut closes the end for its owner. The caller holds mu.
func (e *end) shut() {
	if e.closed {
		return
	}
	e.closed = true
	e.in.ready = nil
	for _, l := range []*limit{&e.read, &e.write} {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	e.ring()
	e.pair.forget()
}

// fail takes a reset. The caller holds mu.
func (e *end) fail(why error) {
	if e.failed == nil {
		e.failed = why
		e.out.flight, e.out.flying = nil, 0
	}
	e.ring()
	e.pair.forget()
}

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error { return e.bound(t, &e.read, &e.write) }

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error { return e.bound(t, &e.read) }

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error { return e.bound(t, &e.write) }

func (e *end) bound(t time.Time, limits ...*limit) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed {
		return e.wrap("set", net.ErrClosed)
	}
	for _, l := range limits {
		l.at = t
		if l.timer != nil {
			l.timer.Stop()
			l.timer = nil
		}
		if left := time.Until(t); !t.IsZero() && left > 0 {
			l.timer = time.AfterFunc(left, func() {
				e.net.mu.Lock()
				defer e.net.mu.Unlock()
				e.ring()
			})
		}
	}
	e.ring()
	return nil
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return e.local }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: e.network, Source: e.local, Addr: e.remote, Err: err}
}

// timeoutError and canceledError are what package net makes of a context's end.
type (
	timeoutError  struct{}
	canceledError struct{}
)

var (
	errTimeout  error = timeoutError{}
	errCanceled error = canceledError{}
)

func (timeoutError) Error() string        { return "i/o timeout" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

func (canceledError) Error() string        { return "operation was canceled" }
func (canceledError) Is(target error) bool { return target == context.Canceled }

func endOf(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errTimeout
	}
	return errCanceled
}
