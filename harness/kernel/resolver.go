//go:build linux

package kernel

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// timeToLive is what the resolver says of its answers, in seconds: Docker's figure.
const timeToLive = 600

// resolver answers DNS questions in one namespace, at the address where Docker's would be.
type resolver struct {
	// lookup takes canonical names.
	lookup func(name string) (netip.Addr, bool)
}

// resolve serves the namespace's questions from now on, until it goes.
func (n *Namespace) resolve(lookup func(name string) (netip.Addr, bool)) error {
	at := netip.AddrPortFrom(dockerResolver, questionPort).String()
	var packets net.PacketConn
	var listener net.Listener
	err := n.inside("listen for questions", func() (err error) {
		if packets, err = net.ListenPacket("udp4", at); err != nil {
			return err
		}
		if listener, err = net.Listen("tcp4", at); err != nil {
			return errors.Join(err, packets.Close())
		}
		return nil
	})
	if err != nil {
		return err
	}
	handler := resolver{lookup}
	for _, server := range []*dns.Server{
		{PacketConn: packets, Handler: handler, UDPSize: questionSize},
		{Listener: impatientListener{listener}, Handler: handler, ReadTimeout: idleFor, IdleTimeout: func() time.Duration { return idleFor }},
	} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		failed := make(chan error, 1)
		go func() { failed <- server.ActivateAndServe() }()
		select {
		case <-started: // one that has not begun cannot be stopped
		case err := <-failed:
			return errors.Join(err, packets.Close(), listener.Close())
		}
		go func() {
			<-n.Gone()
			_ = server.Shutdown() // its sockets would keep the namespace
		}()
	}
	return nil
}

// ServeDNS implements dns.Handler. Known names have one address, of IPv4; nothing else is
// known.
func (r resolver) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	reply := new(dns.Msg).SetReply(question)
	reply.RecursionAvailable = true // else some ask the next server
	switch address, known := r.asked(question); {
	case len(question.Question) != 1 || question.Opcode != dns.OpcodeQuery:
		reply.Rcode = dns.RcodeNotImplemented
	case !known:
		reply.Rcode = dns.RcodeNameError
	case question.Question[0].Qtype == dns.TypeA, question.Question[0].Qtype == dns.TypeANY:
		reply.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: timeToLive},
			A:   address.AsSlice(),
		}}
	}
	if extended := question.IsEdns0(); extended != nil {
		reply.SetEdns0(questionSize, extended.Do())
	}
	_ = w.WriteMsg(reply) // whoever asked may be gone
}

func (r resolver) asked(question *dns.Msg) (netip.Addr, bool) {
	if len(question.Question) != 1 {
		return netip.Addr{}, false
	}
	return r.lookup(dns.CanonicalName(question.Question[0].Name))
}
