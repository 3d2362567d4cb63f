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
	// truthWithin bounds how long the resolver has for a question that is passed on.
	// Clients ask again, or give up, after 5 s (resolv.conf(5)).
	truthWithin = 10 * time.Second
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
		if err := i.namespace.unlead(i.owner); err != nil {
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

// ServeDNS implements dns.Handler.
func (i *impostor) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	if i.isAbout(question) {
		i.asked.Add(1)
		switch i.spoof.Answer {
		case AnswerSilence:
			return
		case AnswerSlow:
			i.holdBack()
		default:
			// Whoever asked may be gone.
			_ = w.WriteMsg(i.answer(question))
			return
		}
	}
	err := i.pass(w, question)
	if err == nil || classify(err) == TimedOut || i.passing.Err() != nil {
		return // the resolver was silent, so this is
	}
	failure := new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
	failure.RecursionAvailable = true
	_ = w.WriteMsg(failure)
}

func (i *impostor) isAbout(question *dns.Msg) bool {
	if len(question.Question) != 1 || question.Opcode != dns.OpcodeQuery {
		return false
	}
	return len(i.names) == 0 || i.names[dns.CanonicalName(question.Question[0].Name)]
}

func (i *impostor) holdBack() {
	delay := time.NewTimer(i.spoof.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-i.ending:
	}
}

// answer is the lie.
func (i *impostor) answer(question *dns.Msg) *dns.Msg {
	reply := new(dns.Msg).SetReply(question)
	// Without it some take an answer without addresses for that of a server that does
	// not know, and ask the next.
	reply.RecursionAvailable = true
	switch i.spoof.Answer {
	case AnswerServFail:
		reply.Rcode = dns.RcodeServerFailure
	case AnswerNXDomain:
		reply.Rcode = dns.RcodeNameError
	case AnswerAddress:
		if kind := question.Question[0].Qtype; kind == dns.TypeA || kind == dns.TypeANY {
			reply.Answer = []dns.RR{&dns.A{
				// To live for 0 s: nobody is to keep it after the fault.
				Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
				A:   i.spoof.Address.AsSlice(),
			}}
		}
	}
	if extended := question.IsEdns0(); extended != nil {
		reply.SetEdns0(questionSize, extended.Do())
	}
	return reply
}

// pass hands a question to whom it was meant for, in the same protocol, and their answer
// back, byte for byte.
func (i *impostor) pass(w dns.ResponseWriter, question *dns.Msg) error {
	ctx, cancel := context.WithTimeout(i.passing, truthWithin)
	defer cancel()
	resolver, err := i.meant(w)
	if err != nil {
		return err
	}
	mark := socketOption(unix.SOL_SOCKET, unix.SO_MARK, int(layerMark(i.layer)))
	conn, err := i.namespace.dial(ctx, mark, resolver.Network(), resolver.String())
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the answer is here, or will not come
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	packed, err := question.Pack()
	if err != nil {
		return fmt.Errorf("pack question: %w", err)
	}
	truth := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	if _, err := truth.Write(packed); err != nil {
		return err
	}
	for {
		var header dns.Header
		answer, err := truth.ReadMsgHeader(&header)
		if err != nil {
			return err
		}
		if header.Id == question.Id {
			_, err = w.Write(answer)
			return err
		}
	}
}

// meant is whom a question was meant for.
func (i *impostor) meant(w dns.ResponseWriter) (net.Addr, error) {
	switch here := w.LocalAddr().(type) {
	case *net.UDPAddr:
		to, err := i.flows.Destination(unix.IPPROTO_UDP, w.RemoteAddr().(*net.UDPAddr).AddrPort(), here.AddrPort())
		return net.UDPAddrFromAddrPort(to), err
	case *net.TCPAddr:
		to, err := i.flows.Destination(unix.IPPROTO_TCP, w.RemoteAddr().(*net.TCPAddr).AddrPort(), here.AddrPort())
		return net.TCPAddrFromAddrPort(to), err
	default:
		return nil, fmt.Errorf("%T is no address of a question", here)
	}
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
