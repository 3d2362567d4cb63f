//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

var (
	resolver = netip.MustParseAddrPort("127.0.0.11:53")
	truth    = netip.MustParseAddr("10.9.0.42")
	lie      = netip.MustParseAddr("203.0.113.1")
)

// namesNode is a client and a node with a resolver that knows every name's address.
func namesNode(t *testing.T) (client *agent.Client, id string) {
	t.Helper()
	process := startNode(t)
	id = "0123456789abcdef"
	engine := &fakeEngine{containers: map[string]container{
		id: {ID: id, Name: "peer-1", Session: mine, Running: true, PID: process.Pid},
	}}
	var conn net.PacketConn
	within(t, process, func() (err error) {
		conn, err = net.ListenPacket("udp4", resolver.String())
		return err
	})
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		answer.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
			A:   truth.AsSlice(),
		}}
		_ = w.WriteMsg(answer)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = conn.Close() })
	return dial(t, serve(t, engine, newLease(time.Hour, time.Hour))), id
}

func TestNamesAreSpoofedAndRestored(t *testing.T) {
	client, id := namesNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
	defer cancel()
	want := func(name, outcome, detail string) (took time.Duration) {
		t.Helper()
		probe := agent.Probe{Node: id, Target: resolver, Protocol: "dns", Path: name, Timeout: soon}
		if outcome == agent.OutcomeTimeout {
			probe.Timeout = 300 * time.Millisecond
		}
		results, err := client.Probe(ctx, []agent.Probe{probe})
		must(t, err)
		if got := results[0]; got.Outcome != outcome || !strings.Contains(got.Detail, detail) {
			t.Errorf("asked for %s: %+v, want %s and %q", name, got, outcome, detail)
		}
		return results[0].Total
	}
	want("origin", agent.OutcomeOK, truth.String())

	const delay = 400 * time.Millisecond
	for _, c := range []struct {
		spoof           agent.Spoof
		outcome, detail string
	}{
		{agent.Spoof{Answer: agent.AnswerSilence}, agent.OutcomeTimeout, ""},
		{agent.Spoof{Answer: agent.AnswerServFail}, agent.OutcomeServFail, "SERVFAIL"},
		{agent.Spoof{Answer: agent.AnswerNXDomain}, agent.OutcomeNXDomain, "NXDOMAIN"},
		{agent.Spoof{Answer: agent.AnswerAddress, Addresses: []netip.Addr{lie}}, agent.OutcomeOK, lie.String()},
		{agent.Spoof{Answer: agent.AnswerSlow, Delay: delay}, agent.OutcomeOK, truth.String()},
	} {
		c.spoof.Names = []string{"origin"}
		must(t, client.SpoofNames(ctx, "names", []string{id, id[:12]}, c.spoof))
		if err := client.SpoofNames(ctx, "names", []string{id}, c.spoof); !errors.Is(err, agent.ErrExists) {
			t.Errorf("%s: the same owner twice: %v, want ErrExists", c.spoof.Answer, err)
		}
		took := want("origin", c.outcome, c.detail)
		if c.spoof.Answer == agent.AnswerSlow && took < delay*3/4 {
			t.Errorf("slow: %s, want about %s", took, delay)
		}
		want("other", agent.OutcomeOK, truth.String())
		if asked, err := client.Asked(ctx, "names"); err != nil || asked != 1 {
			t.Errorf("%s: asked %d questions (%v), want 1", c.spoof.Answer, asked, err)
		}
		must(t, client.RestoreNames(ctx, "names"))
		must(t, client.RestoreNames(ctx, "names"))
		want("origin", agent.OutcomeOK, truth.String())
		if asked, err := client.Asked(ctx, "names"); err != nil || asked != 0 {
			t.Errorf("%s: asked %d questions (%v) after its end", c.spoof.Answer, asked, err)
		}
	}
	err := client.SpoofNames(ctx, "names", []string{id, "absent"}, agent.Spoof{Answer: agent.AnswerSilence})
	if !errors.Is(err, agent.ErrNodeGone) {
		t.Errorf("a node that is not there: %v, want ErrNodeGone", err)
	}
	want("origin", agent.OutcomeOK, truth.String())
}

func TestSpoofsThatMakeNoSenseAreInvalid(t *testing.T) {
	service := &service{nodes: newNodes(&fakeEngine{}, mine)}
	for want, request := range map[string]*agentpb.SpoofNamesRequest{
		`answer "refuse" is not one of`:    {Answer: "refuse"},
		`answer "" is not one of`:          {},
		`address: ParseAddr("10.9.0.300")`: {Answer: "address", Addresses: []string{"10.9.0.300"}},
		"address ::1 is not IPv4":          {Answer: "address", Addresses: []string{"::1"}},
		"answer address needs one":         {Answer: "address"},
		"answer silence takes no address":  {Answer: "silence", Addresses: []string{"10.9.0.1"}},
		"a delay of 0s is none":            {Answer: "slow"},
		"answer nxdomain takes no delay":   {Answer: "nxdomain", Delay: durationpb.New(time.Second)},
		`"a..b" is no name`:                {Answer: "silence", Names: []string{"a..b"}},
	} {
		_, err := service.SpoofNames(t.Context(), request)
		message := status.Convert(err).Message()
		if status.Code(err) != codes.InvalidArgument || !strings.HasPrefix(message, "spoof: ") || !strings.Contains(message, want) || strings.Contains(message, "\n") {
			t.Errorf("%v: %v, want one line that says %s", request, err, want)
		}
	}
}

func TestProbesSpeakUDPAndOfTheirWire(t *testing.T) {
	client, id, listener := dialNode(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	there := netip.MustParseAddrPort(listener.Addr().String())
	results, err := client.Probe(t.Context(), []agent.Probe{
		{Node: id, Target: there, Protocol: "tcp", Timeout: soon},
		{Node: id, Target: there, Protocol: "udp", Timeout: soon},
	})
	must(t, err)
	if w := results[0].Wire; results[0].Outcome != agent.OutcomeOK || w.SegmentsOut < 2 || w.SegmentsIn < 1 || w.PathMTU == 0 || w.SendMSS == 0 || w.ReceiveMSS == 0 {
		t.Errorf("tcp: %+v", results[0])
	}
	if results[1].Outcome != agent.OutcomeRefused || results[1].Wire != (agent.Wire{}) {
		t.Errorf("udp: %+v, want it refused, and no wire", results[1])
	}

	got := wireOf(kernel.Wire{
		SegmentsOut: 1, SegmentsIn: 2, Retransmitted: 3, OutOfOrder: 4, Duplicated: 5, PathMTU: 6, SendMSS: 7, ReceiveMSS: 8,
	})
	if want := (&agentpb.Wire{
		SegmentsOut: 1, SegmentsIn: 2, Retransmitted: 3, OutOfOrder: 4, Duplicated: 5, PathMtu: 6, SendMss: 7, ReceiveMss: 8,
	}); !proto.Equal(got, want) {
		t.Errorf("wire %v, want %v", got, want)
	}
}
