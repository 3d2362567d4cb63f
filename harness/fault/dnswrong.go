package fault

import (
	"errors"
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// DNSWrong lets names lead nodes elsewhere: a stale zone, a name that has moved.
type DNSWrong struct {
	Nodes []topology.Node // who asks
	Of    []topology.Node // whose names; all if empty
	To    topology.Node   // where they lead
}

// Kind implements Fault.
func (d DNSWrong) Kind() string { return "dns-wrong" }

// Target implements Fault.
func (d DNSWrong) Target() string {
	return fmt.Sprintf("%s, to %s", lookups{d.Nodes, d.Of}, d.To.Name)
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
	to := t.Address(d.To.Name)
	plan, err := lookups{d.Nodes, d.Of}.plan(t, id, agent.Spoof{Answer: agent.AnswerAddress, Address: to}, Plan{
		Bites: func(s Sight) error {
			if s.During.Outcome != agent.OutcomeOK || s.During.Detail != to.String() || s.Before.Detail == s.During.Detail {
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
