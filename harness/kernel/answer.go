//go:build linux

package kernel

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// truthWithin bounds how long the resolver has for a question that is passed on. Clients
// ask again, or give up, after 5 s (resolv.conf(5)).
const truthWithin = 10 * time.Second

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
			for _, address := range i.spoof.Addresses {
				reply.Answer = append(reply.Answer, &dns.A{
					// To live for 0 s: nobody is to keep it after the fault.
					Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
					A:   address.AsSlice(),
				})
			}
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
