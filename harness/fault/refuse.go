package fault

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
)

// Refuse answers every packet towards the server of some links, in place of the
// server. A reset also ends open connections; ICMP is told to new ones, and TCP goes on
// trying on those that are open (RFC 1122 section 4.2.3.9).
type Refuse struct {
	Links Links
	With  Refusal // Reset if empty
}

// Refusal is how packets are answered.
type Refusal string

// The refusals: a TCP reset, and ICMP destination unreachable by what its code says
// (RFC 792, RFC 1812 section 5.2.7.1).
const (
	ByReset           Refusal = "reset"
	NetUnreachable    Refusal = "net unreachable"
	HostUnreachable   Refusal = "host unreachable"
	NoProtocol        Refusal = "protocol unreachable"
	NoPort            Refusal = "port unreachable"
	NetProhibited     Refusal = "net prohibited"
	HostProhibited    Refusal = "host prohibited"
	FirewallProhibits Refusal = "administratively prohibited"
)

// codes are those of ICMP, and outcomes what a Linux client that connects makes of them
// (net/ipv4/icmp.c, icmp_err_convert).
var (
	codes = map[Refusal]uint8{
		NetUnreachable: 0, HostUnreachable: 1, NoProtocol: 2, NoPort: 3, NetProhibited: 9, HostProhibited: 10, FirewallProhibits: 13,
	}
	outcomes = map[Refusal]string{ByReset: agent.OutcomeRefused, NoPort: agent.OutcomeRefused}
)

// Kind implements Fault.
func (r Refuse) Kind() string { return "refuse" }

// Target implements Fault.
func (r Refuse) Target() string { return fmt.Sprintf("%s with %s", r.Links, r.with()) }

func (r Refuse) with() Refusal {
	if r.With == "" {
		return ByReset
	}
	return r.With
}

// Plan implements Fault.
func (r Refuse) Plan(t Target, id string) (Plan, error) {
	edges, err := selected(t, r.Links)
	if err != nil {
		return Plan{}, err
	}
	rule, mechanism := agent.Rule{Verdict: agent.Reset}, "nftables reject with tcp reset"
	if r.with() != ByReset {
		code, known := codes[r.With]
		if !known {
			all := slices.Sorted(maps.Keys(codes))
			return Plan{}, fmt.Errorf("with %q: use %s, or one of %q", r.With, ByReset, all)
		}
		rule, mechanism = agent.Rule{Verdict: agent.Unreach, Code: code}, fmt.Sprintf("nftables reject with icmp code %d", code)
	}
	want, known := outcomes[r.with()]
	if !known {
		want = agent.OutcomeUnreachable
	}
	p := packets{edges: edges, direction: Upstream, rule: rule}
	return Plan{
		Mechanism: mechanism,
		Apply:     func(ctx context.Context) (Undo, error) { return p.apply(ctx, t, id) },
		Affected:  edges, Edges: edges,
		Bites:    func(s Sight) error { return turned(s, want) },
		Counters: p.caught(t, id), Proven: somePackets,
	}, nil
}
