//go:build linux

package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrGone says that the node's main process has ended, or that its namespace
// was closed.
var ErrGone = errors.New("namespace is gone")

// ErrHost refuses the one namespace that nothing may be done to.
var ErrHost = errors.New("it shares the host's network namespace")

// device is the interface that a container has on its bed's network.
const device = "eth0"

// Namespace is a node's network namespace and main process. It holds the
// namespace open only while the process lives.
type Namespace struct {
	name string
	pid  int
	gone chan struct{}

	// mu guards the two handles: a caller that holds it for reading can trust
	// that they stay open.
	mu     sync.RWMutex
	handle *os.File
	pidfd  *os.File
}

// Open takes hold of the process's network namespace. The name is for errors.
func Open(name string, pid int) (*Namespace, error) {
	number, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		err = errors.Join(ErrGone, err) // it ended after the engine was asked for its number
	}
	if err != nil {
		return nil, fmt.Errorf("node %s: open process %d: %w", name, pid, err)
	}
	pidfd := os.NewFile(uintptr(number), "pidfd")
	handle, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		_ = pidfd.Close()
		return nil, fmt.Errorf("node %s: open network namespace: %w", name, err)
	}
	n := &Namespace{name: name, pid: pid, gone: make(chan struct{}), handle: handle, pidfd: pidfd}
	// The process may have ended between the two, and its number be another's.
	if n.ended() {
		n.Close()
		return nil, fmt.Errorf("node %s: %w", name, ErrGone)
	}
	if err := n.refuseHost(); err != nil {
		n.Close()
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	go n.watch()
	return n, nil
}

// refuseHost makes sure that the namespace is neither the host's, which is that
// of process 1, nor the one that this program runs in.
func (n *Namespace) refuseHost() error {
	this, err := n.handle.Stat()
	if err != nil {
		return fmt.Errorf("look at network namespace: %w", err)
	}
	for _, path := range []string{"/proc/1/ns/net", "/proc/self/ns/net"} {
		other, err := os.Stat(path)
		if errors.Is(err, os.ErrPermission) {
			// Some machines hide process 1 even from root; faultd also asks the
			// engine whether a container shares the host's network.
			continue
		}
		if err != nil {
			return fmt.Errorf("compare with the host's network namespace: %w", err)
		}
		if os.SameFile(this, other) {
			return ErrHost
		}
	}
	return nil
}

// Attach wraps a namespace that has no process. It takes over the handle.
func Attach(name string, handle *os.File) *Namespace {
	return &Namespace{name: name, gone: make(chan struct{}), handle: handle}
}

// Name is the name given to Open.
func (n *Namespace) Name() string { return n.name }

// Gone is closed when the process has ended or Close was called.
func (n *Namespace) Gone() <-chan struct{} { return n.gone }

// Alive says whether the process still runs, as of now.
func (n *Namespace) Alive() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.handle != nil && !n.ended()
}

// Close lets the namespace go. It waits for calls that are using it.
func (n *Namespace) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.handle == nil {
		return
	}
	_ = n.handle.Close()
	if n.pidfd != nil {
		_ = n.pidfd.Close()
	}
	n.handle, n.pidfd = nil, nil
	close(n.gone)
}

// watch closes the namespace when the process ends: an open handle would keep
// a removed container's namespace, and its addresses, alive.
func (n *Namespace) watch() {
	n.mu.RLock()
	pidfd := n.pidfd
	n.mu.RUnlock()
	if pidfd == nil {
		return
	}
	if wait, err := pidfd.SyscallConn(); err == nil {
		// Ends early, with an error, when Close closes the descriptor.
		_ = wait.Read(func(fd uintptr) bool { return readable(fd) })
	}
	n.Close()
}

// ended asks the pidfd, which becomes readable when the process ends. The
// caller holds mu, or is the only one to know n.
func (n *Namespace) ended() bool {
	if n.pidfd == nil {
		return false
	}
	control, err := n.pidfd.SyscallConn()
	if err != nil {
		return true
	}
	var over bool
	if err := control.Control(func(fd uintptr) { over = readable(fd) }); err != nil {
		return true
	}
	return over
}

func readable(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	ready, err := unix.Poll(poll, 0)
	return err == nil && ready == 1
}

// use runs do with the namespace's descriptor, which stays open meanwhile, and
// puts the node's name and what was tried before an error.
func (n *Namespace) use(what string, do func(fd int) error) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	err := ErrGone
	if n.handle != nil && !n.ended() {
		err = do(int(n.handle.Fd()))
	}
	if err != nil {
		return fmt.Errorf("node %s: %s: %w", n.name, what, err)
	}
	return nil
}

// process runs do with the main process's id. What it read is trusted only if
// the process lives afterwards too, since ids are used again.
func (n *Namespace) process(what string, do func(pid int) error) error {
	return n.use(what, func(int) error {
		if n.pid == 0 {
			return errors.New("no main process")
		}
		err := do(n.pid)
		if n.ended() {
			return ErrGone
		}
		return err
	})
}

// inside runs do on a thread that has entered the namespace and ends with it.
func (n *Namespace) inside(what string, do func() error) error {
	return n.use(what, func(fd int) error {
		done := make(chan error, 1)
		go func() {
			// Never unlocked: the runtime then ends the thread with the goroutine.
			runtime.LockOSThread()
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				done <- fmt.Errorf("enter network namespace: %w", err)
				return
			}
			done <- do()
		}()
		return <-done
	})
}

// DialContext connects out of the namespace. The host must be an address: names
// would be looked up outside.
func (n *Namespace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return n.dial(ctx, nil, network, address)
}

// control is what a net.Dialer does to a socket before it connects.
type control func(network, address string, socket syscall.RawConn) error

// socketOption sets an option of whole numbers.
func socketOption(level, name, value int) control {
	return func(_, _ string, socket syscall.RawConn) error {
		var failed error
		err := socket.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, name, value) })
		return cmp.Or(err, os.NewSyscallError("setsockopt", failed))
	}
}

// dial is DialContext, with a hand on the socket if there is any.
func (n *Namespace) dial(ctx context.Context, prepare control, network, address string) (net.Conn, error) {
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		runtime.LockOSThread() // as in inside
		// The handle is held only while entering: a silent peer must not keep
		// Close waiting for as long as the dial lasts.
		err := n.use("enter network namespace", func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) })
		if err != nil {
			done <- dialled{err: err}
			return
		}
		// A negative delay keeps the socket on this thread.
		dialer := net.Dialer{FallbackDelay: -1, Control: prepare}
		conn, err := dialer.DialContext(ctx, network, address)
		done <- dialled{conn, err}
	}()
	result := <-done
	return result.conn, result.err
}
