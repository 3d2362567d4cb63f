package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
)

// BlockPort closes ports on some links, as a security group or a host firewall does.
type BlockPort struct {
	Links Links
	How   How // Dropped or Refused
}

// Kind implements Fault.
func (b BlockPort) Kind() string { return "block-port" }

// Target implements Fault.
func (b BlockPort) Target() string { return fmt.Sprintf("%s %s", b.Links, b.How) }

// Plan implements Fault.
func (b BlockPort) Plan(t Target, id string) (Plan, error) {
	edges, err := selected(t, b.Links)
	if err != nil {
		return Plan{}, err
	}
	p := packets{edges: edges}
	bites := silent
	switch b.How {
	case Dropped:
		p.verdict = agent.Drop
	case Refused:
		p.verdict, bites = agent.Reset, refused
	default:
		return Plan{}, fmt.Errorf("how %q: a port is dropped or refused", b.How)
	}
	return Plan{
		Apply:    func(ctx context.Context) (Undo, error) { return p.apply(ctx, t, id) },
		Affected: edges, Edges: edges, Bites: bites,
		Counters: p.caught(t, id), Proven: somePackets,
	}, nil
}

// silent is Bites for faults after which nobody answers.
func silent(before, during history.Reading) error {
	return turned(before, during, agent.OutcomeTimeout)
}

// refused is Bites for faults after which every packet is answered with a reset.
func refused(before, during history.Reading) error {
	return turned(before, during, agent.OutcomeRefused)
}

// turned returns nil if the outcome became want and was not so before.
func turned(before, during history.Reading, want string) error {
	if before.Outcome == want {
		return fmt.Errorf("%s was %s already before", before.Link, want)
	}
	if during.Outcome != want {
		return fmt.Errorf("%s is %s, not %s", during.Link, during.Outcome, want)
	}
	return nil
}
