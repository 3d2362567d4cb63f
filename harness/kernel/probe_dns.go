//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// denial is a resolver's answer that it has none.
type denial int

func (d denial) Error() string { return "answered " + dns.RcodeToString[int(d)] }

func (d denial) outcome() Outcome {
	switch d {
	case dns.RcodeServerFailure:
		return ServFail
	case dns.RcodeNameError:
		return NXDomain
	default:
		return Failed
	}
}

// probeDNS asks once, by UDP, for the IPv4 addresses of a name.
func (n *Namespace) probeDNS(ctx context.Context, trace *trace, probe Probe) (detail string, err error) {
	if probe.Path == "" {
		return "", errors.New("no name to ask for")
	}
	question := new(dns.Msg).SetQuestion(dns.Fqdn(probe.Path), dns.TypeA)
	packed, err := question.Pack()
	if err != nil {
		return "", fmt.Errorf("ask for %q: %w", probe.Path, err)
	}
	conn, err := n.dialUDP(ctx, trace, probe.Target)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // the probe is over
	if _, err := conn.Write(packed); err != nil {
		return "", fmt.Errorf("send question: %w", err)
	}
	for {
		raw := make([]byte, longestDatagram)
		size, err := conn.Read(raw)
		if err != nil {
			return "", fmt.Errorf("read answer: %w", err)
		}
		answer := new(dns.Msg)
		if err := answer.Unpack(raw[:size]); err != nil {
			return "", fmt.Errorf("read answer: %w", err)
		}
		if answer.Id != question.Id {
			continue
		}
		if answer.Rcode != dns.RcodeSuccess {
			return "", denial(answer.Rcode)
		}
		return addresses(answer), nil
	}
}

func addresses(answer *dns.Msg) string {
	var found []string
	for _, record := range answer.Answer {
		if a, ok := record.(*dns.A); ok {
			found = append(found, a.A.String())
		}
	}
	if len(found) == 0 {
		return "no address"
	}
	return strings.Join(found, ", ")
}
