package memnet

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// backlogMax is how many connections wait for accept; later ones hang.
const backlogMax = 128

// listener is one open port or unix socket of a host.
type listener struct {
	host    *Host
	network string
	key     string
	addr    net.Addr
	wake    chan struct{} // closed and replaced at each change
	backlog []*end
	closed  bool
}

// Listen opens "tcp" at host:port or :port (0 for a free one), or "unix" at a path.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	l := &listener{host: h, network: network, key: address, addr: &net.UnixAddr{Name: address, Net: network}, wake: make(chan struct{})}
	if network != "unix" {
		name, service, err := net.SplitHostPort(address)
		if err != nil {
			return nil, &net.OpError{Op: "listen", Net: network, Err: err}
		}
		port, err := strconv.Atoi(service)
		if err != nil || port < 0 || port > lastPort {
			return nil, &net.OpError{Op: "listen", Net: network, Err: &net.AddrError{Err: "invalid port", Addr: address}}
		}
		addr := &net.TCPAddr{IP: net.ParseIP(name), Port: port}
		if addr.IP != nil && !addr.IP.IsUnspecified() && !addr.IP.IsLoopback() && addr.IP.String() != h.ip {
			return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}
		}
		if port == 0 {
			addr.Port = h.freePort()
		}
		l.key, l.addr = strconv.Itoa(addr.Port), addr
	}
	if h.listeners[l.key] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: l.addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	h.listeners[l.key] = l
	h.net.wake()
	return l, nil
}

// take queues a connection. The caller holds mu.
func (l *listener) take(e *end) {
	l.backlog = append(l.backlog, e)
	l.ring()
}

func (l *listener) ring() {
	close(l.wake)
	l.wake = make(chan struct{})
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		l.host.net.mu.Lock()
		closed, wake := l.closed, l.wake
		var next *end
		if len(l.backlog) > 0 {
			next, l.backlog = l.backlog[0], l.backlog[1:]
			if len(l.backlog) == backlogMax-1 {
				l.host.net.wake()
			}
		}
		l.host.net.mu.Unlock()
		switch {
		case closed:
			return nil, &net.OpError{Op: "accept", Net: l.network, Addr: l.addr, Err: net.ErrClosed}
		case next != nil:
			return next, nil
		}
		<-wake
	}
}

// Close implements net.Listener. Connections that nobody accepted are reset.
func (l *listener) Close() error {
	n := l.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.closed {
		return &net.OpError{Op: "close", Net: l.network, Addr: l.addr, Err: net.ErrClosed}
	}
	l.closed = true
	if l.host.listeners[l.key] == l {
		delete(l.host.listeners, l.key)
	}
	for _, e := range l.backlog {
		e.abort()
	}
	l.backlog = nil
	l.ring()
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }
