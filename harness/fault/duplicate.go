package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
)

// Duplicate sends packets of some links twice, as a network with a loop does.
type Duplicate struct {
	Links     Links
	Direction Direction
}

// Kind implements Fault.
func (d Duplicate) Kind() string { return "duplicate" }

// Target implements Fault.
func (d Duplicate) Target() string { return d.Direction.in(d.Links.String()) }

// Plan implements Fault.
func (d Duplicate) Plan(t Target, id string) (Plan, error) {
	edges, err := selected(t, d.Links)
	if err == nil {
		err = d.Direction.check()
	}
	if err != nil {
		return Plan{}, err
	}
	asks := busy(d.Direction, lossBulk)
	seen := asked(t, edges, asks...)
	if len(seen) == 0 {
		return Plan{}, fmt.Errorf("no server on %s takes and gives as much as would show the fault", d.Links)
	}
	p := packets{edges: edges, direction: d.Direction, rule: agent.Rule{Verdict: agent.Duplicate}}
	return Plan{
		Mechanism: "nftables dup, at the sender", Needs: []string{"nft-dup", "offloads"},
		Apply:    func(ctx context.Context) (Undo, error) { return p.applyOnWire(ctx, t, id) },
		Affected: edges, Lives: p.lives(), Edges: seen, Asks: asks, Bites: twice,
		Counters: p.caught(t, id), Proven: everyDirection,
		Untouched: func(s Sight) error {
			if twice(s) == nil {
				return fmt.Errorf("%s gets packets twice", s.During.Link)
			}
			return spareWire(1)(s)
		},
	}, nil
}

// twice is seen by the client's kernel: of what it has sent twice the receiver tells by
// duplicate selective acknowledgements (RFC 2883), and what it gets twice is half as
// many segments again as before, at least: copies that are late come after the probe.
func twice(s Sight) error {
	w := s.During.Wire
	if s.Ask.Pad > 0 {
		if w.Duplicated == 0 {
			return fmt.Errorf("%s: none of %d packets was told to have come twice", s.During.Link, w.SegmentsOut)
		}
		return nil
	}
	if was := s.Before.Wire.SegmentsIn; 2*w.SegmentsIn < 3*was || was == 0 {
		return fmt.Errorf("%s: %d packets came, %d before", s.During.Link, w.SegmentsIn, was)
	}
	return nil
}
