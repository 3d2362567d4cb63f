package fault

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// DNSFail keeps nodes from resolving names.
type DNSFail struct {
	Nodes []topology.Node // who asks
	Of    []topology.Node // whose names; all if empty
	With  NameFailure
}

// NameFailure is what the resolver says (RFC 1035 section 4.1.1).
type NameFailure string

// The failures.
const (
	ServFail   NameFailure = "SERVFAIL" // the resolver could not find out
	NXDomain   NameFailure = "NXDOMAIN" // there is no such name
	NameSilent NameFailure = "silence"  // no answer at all
)

// Kind implements Fault.
func (d DNSFail) Kind() string { return "dns-fail" }

// Target implements Fault.
func (d DNSFail) Target() string { return fmt.Sprintf("%s, %s", lookups{d.Nodes, d.Of}, d.With) }

// Plan implements Fault.
func (d DNSFail) Plan(t Target, id string) (Plan, error) {
	answers := map[NameFailure]struct {
		answer  agent.Answer
		outcome string
	}{
		ServFail:   {agent.AnswerServFail, agent.OutcomeServFail},
		NXDomain:   {agent.AnswerNXDomain, agent.OutcomeNXDomain},
		NameSilent: {agent.AnswerSilence, agent.OutcomeTimeout},
	}
	with, known := answers[d.With]
	if !known {
		return Plan{}, fmt.Errorf("with %q: use %s, %s or %s", d.With, ServFail, NXDomain, NameSilent)
	}
	return lookups{d.Nodes, d.Of}.plan(t, id, agent.Spoof{Answer: with.answer}, Plan{
		Bites: func(s Sight) error { return turned(s, with.outcome) },
	}, 0)
}
