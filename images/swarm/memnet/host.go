package memnet

import (
	"context"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Resolver is the server of the link on which names are looked up, at port 53.
const Resolver = "resolver"

const (
	resolverPort   = 53
	firstEphemeral = 32768
	lastPort       = 65535
	// unreachableAfter is how long Linux asks who has an address before it gives up.
	unreachableAfter = 3 * time.Second
)

// Host is one machine. It has the methods of wire.Stack.
type Host struct {
	net  *Network
	name string
	ip   string

	off       bool
	boots     int
	listeners map[string]*listener // by "port", or the path of a unix socket
	nextPort  int
}

// IP is the host's address.
func (h *Host) IP() string { return h.ip }

// PowerOff takes the host away without a goodbye: the far ends of its connections stay
// open and hear nothing. Its ports are free again. What still runs on it is talking to
// itself, and is to be stopped before PowerOn.
func (h *Host) PowerOff() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.off = true
	clear(h.listeners)
	h.net.wake()
}

// PowerOn brings the host back, without a memory of its connections: whoever goes on
// with one is reset.
func (h *Host) PowerOn() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.off = false
	h.boots++
	h.net.wake()
}

// LookupHost asks the resolver.
func (h *Host) LookupHost(ctx context.Context, name string) ([]string, error) {
	if net.ParseIP(name) != nil {
		return []string{name}, nil
	}
	if name == "localhost" {
		return []string{"127.0.0.1"}, nil
	}
	link := Link{h.name, Resolver, resolverPort}
	for asked := false; ; {
		h.net.mu.Lock()
		changed, delay := h.net.changed, h.net.delay(link, Up)+h.net.delay(link, Down)
		silent, refused := h.net.silent(link, both), h.net.refused(link)
		ips := h.net.names[name]
		h.net.mu.Unlock()
		var wait <-chan time.Time
		switch {
		case silent:
		case !asked && delay > 0:
			asked, wait = true, time.After(delay)
		case refused:
			return nil, &net.DNSError{Err: "read udp: read: connection refused", Name: name, IsTemporary: true}
		case len(ips) == 0:
			return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
		default:
			return append([]string(nil), ips...), nil
		}
		select {
		case <-changed:
		case <-wait:
		case <-ctx.Done():
			err := endOf(ctx)
			return nil, &net.DNSError{Err: err.Error(), Name: name, IsTimeout: err == errTimeout, UnwrapErr: err} //nolint:errorlint // it is that very value
		}
	}
}

// DialContext connects over "tcp" or, on this host alone, "unix".
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		return h.dialUnix(address)
	}
	name, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	port, err := strconv.Atoi(service)
	if err != nil || port < 0 || port > lastPort {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.AddrError{Err: "invalid port", Addr: address}}
	}
	ips, err := h.LookupHost(ctx, name)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var first error
	for _, ip := range ips {
		conn, err := h.dialTCP(ctx, &net.TCPAddr{IP: net.ParseIP(ip), Port: port})
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = &net.OpError{Op: "dial", Net: network, Addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: port}, Err: err}
		}
	}
	return nil, first
}

// dialTCP connects once a call gets there and back.
func (h *Host) dialTCP(ctx context.Context, to *net.TCPAddr) (net.Conn, error) {
	started := time.Now()
	for travelled := false; ; {
		conn, changed, delay, err := h.tryTCP(to, travelled, time.Since(started) >= unreachableAfter)
		if conn != nil || err != nil {
			return conn, err
		}
		var wait <-chan time.Time
		if delay > 0 {
			wait = time.After(delay)
		}
		select {
		case <-changed:
		case <-wait:
			travelled = true
		case <-ctx.Done():
			return nil, endOf(ctx)
		}
	}
}

// tryTCP connects now, fails now, or says what to wait for.
func (h *Host) tryTCP(to *net.TCPAddr, travelled, late bool) (net.Conn, <-chan struct{}, time.Duration, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	server := n.at(to.IP.String())
	if to.IP.IsLoopback() {
		server = h
	}
	if server == nil {
		if late {
			return nil, nil, 0, os.NewSyscallError("connect", syscall.EHOSTUNREACH)
		}
		return nil, n.changed, unreachableAfter, nil
	}
	link := Link{h.name, server.name, to.Port}
	if n.silent(link, both) {
		return nil, n.changed, 0, nil
	}
	if delay := n.delay(link, Up) + n.delay(link, Down); !travelled && delay > 0 {
		return nil, n.changed, delay, nil
	}
	l := server.listeners[strconv.Itoa(to.Port)]
	switch {
	case n.refused(link), l == nil:
		return nil, nil, 0, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case len(l.backlog) >= backlogMax:
		return nil, n.changed, 0, nil
	}
	p := newPair(n, h, server, link, "tcp", &net.TCPAddr{IP: net.ParseIP(h.ip), Port: h.freePort()}, to)
	l.take(p.server)
	return p.client, nil, 0, nil
}

func (h *Host) dialUnix(path string) (net.Conn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	l := h.listeners[path]
	if l == nil || len(l.backlog) >= backlogMax {
		return nil, &net.OpError{Op: "dial", Net: "unix", Addr: addr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	p := newPair(h.net, h, h, Link{h.name, h.name, 0}, "unix", &net.UnixAddr{Net: "unix"}, addr)
	l.take(p.server)
	return p.client, nil
}

// freePort is the next port that nobody listens on. The caller holds mu.
func (h *Host) freePort() int {
	for {
		port := h.nextPort
		if h.nextPort++; h.nextPort > lastPort {
			h.nextPort = firstEphemeral
		}
		if h.listeners[strconv.Itoa(port)] == nil {
			return port
		}
	}
}
