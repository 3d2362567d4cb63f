package fault

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// DNSWrong lets names lead nodes elsewhere: a stale zone, a name that has moved, or one
// that stands for several.
type DNSWrong struct {
	Nodes []topology.Node // who asks
	Of    []topology.Node // whose names; all if empty
	To    topology.Node   // where they lead
	// Both says that the name, which is then one, goes on leading to where it should as
	// well, in the second place.
	Both bool
}

// Kind implements Fault.
func (d DNSWrong) Kind() string { return "dns-wrong" }

// Target implements Fault.
func (d DNSWrong) Target() string {
	first := ""
	if d.Both {
		first = " first"
	}
	return fmt.Sprintf("%s, to %s%s", lookups{d.Nodes, d.Of}, d.To.Name, first)
}

// Plan implements Fault.
func (d DNSWrong) Plan(t Target, id string) (Plan, error) {
	if err := named(t, []topology.Node{d.To}); err != nil {
		return Plan{}, fmt.Errorf("where names lead: %w", err)
	}
	for _, n := range d.Of {
		if n.Name == d.To.Name {
			return Plan{}, errors.New("a name leads to where it should: nothing is wrong")
		}
	}
	spoof := agent.Spoof{Answer: agent.AnswerAddress, Addresses: []netip.Addr{t.Address(d.To.Name)}}
	answer := spoof.Addresses[0].String()
	if d.Both {
		if len(d.Of) != 1 {
			return Plan{}, fmt.Errorf("both to %s and to where it should: that is for one name, not for %d", d.To.Name, len(d.Of))
		}
		truth := t.Address(d.Of[0].Name)
		spoof.Addresses = append(spoof.Addresses, truth)
		answer += ", " + truth.String()
	}
	plan, err := lookups{d.Nodes, d.Of}.plan(t, id, spoof, Plan{
		Bites: func(s Sight) error {
			if s.During.Outcome != agent.OutcomeOK || s.During.Detail != answer || s.Before.Detail == s.During.Detail {
				return fmt.Errorf("%s is %s %s, was %s", s.During.Link, s.During.Outcome, s.During.Detail, s.Before.Detail)
			}
			return nil
		},
		Untouched: func(s Sight) error {
			if s.During.Detail != s.Before.Detail || !alike(s.Before, s.During) {
				return fmt.Errorf("%s is %s, was %s", s.During.Link, s.During.Detail, s.Before.Detail)
			}
			return nil
		},
	}, answerWithin)
	var looks []Look
	for _, l := range plan.looks { // its own name leads there in any case
		if l.Edge.Server != d.To.Name {
			looks = append(looks, l)
		}
	}
	plan.looks = looks
	return plan, err
}
