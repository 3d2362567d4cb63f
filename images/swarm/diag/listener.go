package diag

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/faultbed/faultbed/images/swarm/cause"
)

// acceptPause is how long a listener rests after an accept that found no free
// descriptor, and acceptReport how often it says so.
const (
	acceptPause  = 50 * time.Millisecond
	acceptReport = time.Second
)

// Listener accepts connections and survives a lack of descriptors: it reports
// it, pauses, and goes on as soon as there are some.
type Listener struct {
	net.Listener
	reporter *Reporter
	reserve  *reserve
	closed   chan struct{}
	once     sync.Once
}

// Opener opens listeners: a stack.
type Opener interface {
	Listen(network, address string) (net.Listener, error)
}

// Listen opens a listener on a tcp or unix address. With keepReserve it holds one descriptor back, so
// that one caller at a time is served even when no other descriptor is left.
func Listen(on Opener, network, addr string, keepReserve bool, reporter *Reporter) (*Listener, error) {
	inner, err := on.Listen(network, addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l := &Listener{Listener: inner, reporter: reporter, closed: make(chan struct{})}
	if keepReserve {
		l.reserve = newReserve()
	}
	return l, nil
}

// Accept waits for the next connection. It fails only once the listener is closed.
func (l *Listener) Accept() (net.Conn, error) {
	var lastReport time.Time
	for attempt := 1; ; attempt++ {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err == nil && l.reserve.lend():
			return &reservedConn{Conn: conn, reserve: l.reserve}, nil
		case err == nil && !Yield(conn):
			return conn, nil
		case err == nil:
			err = syscall.EMFILE
		}
		// Without a descriptor accept fails even when nobody calls: that is no
		// failed connection, and the reserve stays where it is.
		called := l.called()
		if called && time.Since(lastReport) >= acceptReport {
			lastReport = time.Now()
			l.reporter.Failed(Accept, l.Addr().String(), "", attempt, err)
		}
		if called && cause.Of(err) == cause.TooManyFiles && l.reserve.spend() {
			conn, err := l.Listener.Accept()
			if err == nil {
				l.reserve.lend()
				return &reservedConn{Conn: conn, reserve: l.reserve}, nil
			}
		}
		l.reserve.restore() // somebody else may have been faster when it was given back
		select {
		case <-l.closed:
			return nil, net.ErrClosed
		case <-time.After(acceptPause):
		}
	}
}

// called says whether somebody waits to be accepted.
func (l *Listener) called() bool {
	socket, ok := l.Listener.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	waiting := true
	if err := raw.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) //nolint:gosec // a descriptor fits
		waiting = err != nil || n > 0
	}); err != nil {
		return true
	}
	return waiting
}

// Close stops listening.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed); l.reserve.drop() })
	return l.Listener.Close()
}

// reserve is one open descriptor that can be given up for a connection.
type reserve struct {
	mu   sync.Mutex
	file *os.File
	gone bool
}

// owed are the reserves of this process that were given up, and whose number somebody
// else was faster to take.
var owed sync.Map // of *reserve

// Yield closes a connection if it took the number of a reserve, and says so: one caller
// that is served for good is no reason to leave all others of that listener unanswered.
func Yield(conn net.Conn) bool {
	missing := func() (some bool) {
		owed.Range(func(r, _ any) bool {
			some = !r.(*reserve).restore() || some //nolint:forcetypeassert // nothing else is in there
			return true
		})
		return some
	}
	if !missing() {
		return false
	}
	_ = conn.Close()
	missing()
	return true
}

func newReserve() *reserve {
	r := &reserve{}
	r.restore()
	return r
}

// spend gives the descriptor up, for the caller who is accepted next.
func (r *reserve) spend() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return false
	}
	owed.Store(r, nil)
	_ = r.file.Close()
	r.file = nil
	return true
}

// lend says whether the reserve was given up, and is with the caller from now on.
func (r *reserve) lend() bool {
	if r == nil {
		return false
	}
	_, given := owed.LoadAndDelete(r)
	return given
}

// claim ends what lend began: from now on what the caller had is owed to the reserve.
func (r *reserve) claim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil && !r.gone {
		owed.Store(r, nil)
	}
}

// restore opens a descriptor anew and says whether the reserve has what it needs; without
// success the next accept that fails tries again, and the next connection.
func (r *reserve) restore() bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil && !r.gone {
		f, err := os.Open("/proc/self/exe") // the program itself, in an image that holds nothing else
		if err != nil {
			return false
		}
		r.file = f
	}
	owed.Delete(r)
	return true
}

func (r *reserve) drop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	owed.Delete(r)
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

// reservedConn gives its descriptor back to the reserve when it ends.
type reservedConn struct {
	net.Conn
	reserve *reserve
	once    sync.Once
}

func (c *reservedConn) Close() error {
	c.once.Do(c.reserve.claim) // first: once it is closed somebody else may be faster
	err := c.Conn.Close()
	c.reserve.restore()
	return err
}
