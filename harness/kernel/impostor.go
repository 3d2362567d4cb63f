//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// impostorAddress is one of loopback's that nobody else uses, so that its ports are
	// free; 251 is 0xfb.
	impostorAddress = "127.0.251.1"
	// questionSize is how long a question over UDP may be, in bytes; it is about 50.
	questionSize = 4096
	// idleFor is how long a TCP connection may say nothing. A client that is kept
	// waiting is to give up first.
	idleFor = time.Minute
	// readWithin bounds how long a client may take to read an answer over TCP.
	readWithin = 2 * time.Second
	// questionsWithin bounds how long an end waits for the resolver's answers to questions
	// that are under way.
	questionsWithin = time.Second
)

// impostor answers DNS questions in one namespace in its resolvers' place, for one
// owner. Those that its spoof is not about it passes on to where they were meant to go.
type impostor struct {
	namespace *Namespace
	owner     string
	layer     uint32
	spoof     Spoof
	names     map[string]bool // in canonical form; all if empty
	resolvers []netip.Addr
	asked     atomic.Uint64

	udp, tcp *dns.Server
	flows    *flows
	serving  *errgroup.Group
	// ending is closed when nothing is to be held back any more; passing ends when
	// nothing is to be passed on, or when a server has failed.
	ending  chan struct{}
	passing context.Context
	abandon context.CancelFunc
	end     sync.Once

	// led says that the table is there, begun that Begin has done all.
	led, begun bool
}

// newImpostor opens the sockets, to which nothing leads yet.
func newImpostor(namespace *Namespace, owner string, layer uint32, spoof Spoof) (*impostor, error) {
	i := &impostor{
		namespace: namespace, owner: owner, layer: layer, spoof: spoof,
		names: map[string]bool{}, ending: make(chan struct{}),
	}
	for _, name := range spoof.Names {
		i.names[dns.CanonicalName(name)] = true
	}
	server := func() *dns.Server {
		return &dns.Server{
			Handler: i, UDPSize: questionSize, MsgAcceptFunc: isQuestion,
			ReadTimeout: idleFor, IdleTimeout: func() time.Duration { return idleFor }, MaxTCPQueries: -1,
		}
	}
	i.udp, i.tcp = server(), server()
	var err error
	if i.resolvers, err = namespace.resolvers(); err != nil {
		return nil, err
	}
	err = namespace.inside("listen for questions", func() (err error) {
		if i.udp.PacketConn, err = net.ListenPacket("udp4", impostorAddress+":0"); err != nil {
			return err
		}
		listener, err := net.Listen("tcp4", impostorAddress+":0")
		if err != nil {
			return errors.Join(err, i.udp.PacketConn.Close())
		}
		i.tcp.Listener = impatientListener{listener}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = namespace.use("listen for questions", func(fd int) (err error) {
		i.flows, err = openFlows(fd)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, i.udp.PacketConn.Close(), i.tcp.Listener.Close())
	}
	i.serve()
	return i, nil
}

// isQuestion accepts whatever is no answer: what makes no sense is for the resolver to
// refuse.
func isQuestion(header dns.Header) dns.MsgAcceptAction {
	const answers = 1 << 15
	if header.Bits&answers != 0 {
		return dns.MsgIgnore
	}
	return dns.MsgAccept
}

// serve starts the servers, and has them stopped when the namespace goes: their sockets
// would keep it.
func (i *impostor) serve() {
	i.passing, i.abandon = context.WithCancel(context.Background())
	i.serving, i.passing = errgroup.WithContext(i.passing)
	for _, server := range i.servers() {
		started := make(chan struct{})
		begun := sync.OnceFunc(func() { close(started) })
		server.NotifyStartedFunc = begun
		i.serving.Go(func() error {
			defer begun()
			return server.ActivateAndServe()
		})
		<-started // one that has not begun cannot be stopped
	}
	go func() {
		select {
		case <-i.namespace.Gone():
			i.stop()
		case <-i.ending:
		}
	}()
}

func (i *impostor) servers() []*dns.Server { return []*dns.Server{i.udp, i.tcp} }

// Begin leads the namespace's questions here.
func (i *impostor) Begin() error {
	ends := map[byte]netip.AddrPort{
		unix.IPPROTO_UDP: i.udp.PacketConn.LocalAddr().(*net.UDPAddr).AddrPort(),
		unix.IPPROTO_TCP: i.tcp.Listener.Addr().(*net.TCPAddr).AddrPort(),
	}
	if err := i.namespace.lead(i.owner, i.layer, i.resolvers, ends); err != nil {
		return err
	}
	i.led = true
	// A socket that has asked before would go on asking the resolver.
	err := i.namespace.forget(func(flow *netlink.ConntrackFlow) bool {
		return flow.Forward.Protocol == unix.IPPROTO_UDP && flow.Forward.DstPort == questionPort
	})
	if err != nil {
		return err
	}
	i.begun = true
	return i.broken()
}

// End leads questions to the resolver again, and stops when those that are here have
// their answers.
func (i *impostor) End() error {
	if i.led {
		if err := i.namespace.removeRules(i.owner); err != nil {
			return err
		}
	}
	i.stop()
	if !i.begun {
		return nil
	}
	here := i.udp.PacketConn.LocalAddr().(*net.UDPAddr)
	// A socket that has asked would go on asking here, where nobody is any more.
	err := i.namespace.forget(func(flow *netlink.ConntrackFlow) bool {
		return flow.Reverse.Protocol == unix.IPPROTO_UDP && flow.Reverse.SrcIP.Equal(here.IP) && int(flow.Reverse.SrcPort) == here.Port
	})
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// stop ends the servers. All that they have begun is over when it returns.
func (i *impostor) stop() {
	i.end.Do(func() {
		close(i.ending)
		defer time.AfterFunc(questionsWithin, i.abandon).Stop()
		var both sync.WaitGroup
		for _, server := range i.servers() {
			// An error says that it had ended already: see broken.
			both.Go(func() { _ = server.Shutdown() })
		}
		both.Wait()
		i.abandon()
		_ = i.serving.Wait()
		_ = i.flows.Close()
	})
}

// Asked counts the questions that the spoof was about.
func (i *impostor) Asked() (uint64, error) { return i.asked.Load(), i.broken() }

// broken says why a server has ended although nobody had stopped it.
func (i *impostor) broken() error {
	if cause := context.Cause(i.passing); cause != nil && !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("node %s: spoof names: %w", i.namespace.name, cause)
	}
	return nil
}

// impatientListener makes connections that end when their client does not read: it is
// no reason never to end. (The library has such a bound, and does not use it.)
type impatientListener struct{ net.Listener }

func (l impatientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return impatientConn{conn}, nil
}

type impatientConn struct{ net.Conn }

func (c impatientConn) Write(answer []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(readWithin)); err != nil {
		return 0, err
	}
	size, err := c.Conn.Write(answer)
	if err != nil {
		// Half an answer may be out.
		_ = c.Close()
	}
	return size, err
}
