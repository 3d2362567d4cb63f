//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// hogAtOnce is how many may be connecting. A server with no place left does not
	// answer, so that many wait at a time.
	hogAtOnce = 1024
	// hogPatience bounds one try: the kernel asks again after 1 s, and after 2 or 3.
	hogPatience = 3500 * time.Millisecond
	// hogPause is how long a place that was refused or lost is left alone.
	hogPause = 500 * time.Millisecond
	// hogTick is how often is looked what to open, and hogPerTick how much then: 4000
	// connections per second.
	hogTick    = 50 * time.Millisecond
	hogPerTick = 200
	// hogTriedWithin bounds the first try of all: at a silent server that of 20000
	// connections takes 70 s.
	hogTriedWithin = 30 * time.Second
)

// hog holds the connections of one owner. All of them live on one thread inside the
// namespace, which waits for them by epoll: a goroutine for each, and for its dial a
// thread that is thrown away, would cost more than what it does to the server.
type hog struct {
	namespace *Namespace
	target    unix.SockaddrInet4
	what      string
	open      atomic.Int64
	// tried is closed when each place was tried once, ended when all are closed; err,
	// to be read after that, is why it ended by itself.
	tried, ended chan struct{}
	err          error
	stop         chan struct{}
	end          func()

	// What follows is the thread's own.
	epoll      int
	places     []place
	connecting int
	untried    int
	// turn is the place to look at first, so that those that are tried again and
	// again do not keep others from their first try.
	turn int
}

// place is one connection, or the wish for one.
type place struct {
	state placeState
	fd    int
	tried bool
	// until is when a free place may be tried again, or a try is given up.
	until time.Time
}

type placeState int

const (
	placeFree placeState = iota
	placeConnecting
	placeOpen
)

func newHog(n *Namespace, target netip.AddrPort, connections int) *hog {
	h := &hog{
		namespace: n,
		target:    unix.SockaddrInet4{Port: int(target.Port()), Addr: target.Addr().Unmap().As4()},
		what:      "hog " + target.String(),
		tried:     make(chan struct{}),
		ended:     make(chan struct{}),
		stop:      make(chan struct{}),
		places:    make([]place, connections),
		untried:   connections,
	}
	h.end = sync.OnceFunc(func() { close(h.stop) })
	return h
}

func (h *hog) run() {
	defer close(h.ended)
	runtime.LockOSThread() // as in Namespace.inside
	h.err = h.namespace.use(h.what, func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) })
	if h.err != nil {
		return
	}
	if err := h.hold(); err != nil {
		h.err = fmt.Errorf("node %s: %s: %w", h.namespace.name, h.what, err)
	}
}

// hold opens connections, and opens them again, until it is told to stop.
func (h *hog) hold() (err error) {
	if h.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(h.epoll) //nolint:errcheck // all is over
	defer func() {
		for i := range h.places {
			h.vacate(i)
		}
	}()
	tried := sync.OnceFunc(func() { close(h.tried) })
	enough := time.Now().Add(hogTriedWithin)
	events := make([]unix.EpollEvent, 256)
	for next := time.Now(); ; {
		select {
		case <-h.stop:
			return nil
		case <-h.namespace.gone:
			return ErrGone
		default:
		}
		now := time.Now()
		if !now.Before(next) {
			if err := h.tick(now); err != nil {
				return err
			}
			next = now.Add(hogTick)
		}
		if h.untried == 0 || now.After(enough) {
			tried()
		}
		count, err := unix.EpollWait(h.epoll, events, 1+int(next.Sub(now).Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, event := range events[:max(count, 0)] {
			h.hear(int(event.Fd))
		}
	}
}

// tick gives up what has waited long enough, and opens what is due.
func (h *hog) tick(now time.Time) error {
	for i, p := range h.places {
		if p.state == placeConnecting && now.After(p.until) {
			h.lose(i)
		}
	}
	budget := hogPerTick
	for range h.places {
		if budget == 0 || h.connecting == hogAtOnce {
			return nil
		}
		if p := h.places[h.turn]; p.state == placeFree && !now.Before(p.until) {
			budget--
			if err := h.connect(h.turn); err != nil {
				return fmt.Errorf("connection %d of %d: %w", h.turn+1, len(h.places), err)
			}
		}
		h.turn = (h.turn + 1) % len(h.places)
	}
	return nil
}

// connect begins to open a place. An error is one of this machine's, not the server's.
func (h *hog) connect(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	p := &h.places[i]
	p.state, p.fd, p.until = placeConnecting, fd, time.Now().Add(hogPatience)
	h.connecting++
	if err := unix.Connect(fd, &h.target); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		h.lose(i)
		return nil
	}
	// The place's number is what epoll tells, in place of the descriptor.
	return unix.EpollCtl(h.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(i)})
}

// hear finds out what became of a place of which there is news.
func (h *hog) hear(i int) {
	p := &h.places[i]
	switch p.state {
	case placeConnecting:
		refused, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && refused == 0 {
			err = unix.EpollCtl(h.epoll, unix.EPOLL_CTL_MOD, p.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
		}
		if err != nil || refused != 0 {
			h.lose(i)
			return
		}
		h.settle(p)
		p.state = placeOpen
		h.open.Add(1)
	case placeOpen:
		// What a server says unasked is read, to see whether it ends behind it.
		var buffer [4 << 10]byte
		count, err := unix.Read(p.fd, buffer[:])
		if count <= 0 && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			h.lose(i)
		}
	}
}

// settle notes that a try has come to an end.
func (h *hog) settle(p *place) {
	h.connecting--
	if !p.tried {
		p.tried = true
		h.untried--
	}
}

// lose closes what was refused or lost, until its next turn.
func (h *hog) lose(i int) {
	if p := &h.places[i]; p.state == placeConnecting {
		h.settle(p)
	}
	h.vacate(i)
	h.places[i].until = time.Now().Add(hogPause)
}

func (h *hog) vacate(i int) {
	p := &h.places[i]
	if p.state == placeFree {
		return
	}
	if p.state == placeOpen {
		h.open.Add(-1)
	}
	_ = unix.Close(p.fd) // and epoll forgets it
	p.state = placeFree
}
