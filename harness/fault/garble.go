package fault

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Garble flips a bit of every Every-th byte of what servers answer on some links, behind
// every checksum of the network: a broken cache, bad memory in a proxy.
type Garble struct {
	Links Links
	Every int64 // bytes
}

// Kind implements Fault.
func (g Garble) Kind() string { return "garble" }

// Target implements Fault.
func (g Garble) Target() string { return fmt.Sprintf("%s every %d bytes", g.Links, g.Every) }

// Plan implements Fault.
func (g Garble) Plan(t Target, id string) (Plan, error) {
	if g.Every < 1 || g.Every > cutAtMost {
		return Plan{}, fmt.Errorf("every %d bytes: use 1 to %d", g.Every, cutAtMost)
	}
	effect := func(s toxic.Stream) toxic.Toxic { return toxic.Garble{EveryBytes: g.Every, Stream: s} }
	return streamPlan(t, g.Links, Downstream, id, effect, Plan{
		Mechanism: "toxiproxy garble (ours)",
		Asks:      []Ask{{Bulk: int(2*g.Every) + 512}},
		Bites: func(s Sight) error {
			switch {
			case s.Before.Outcome != agent.OutcomeOK:
				return fmt.Errorf("%s was %s already before", s.Before.Link, s.Before.Outcome)
			case s.During.Outcome == agent.OutcomeOK && s.During.Digest == s.Before.Digest:
				return fmt.Errorf("%s gives the same answer as before", s.During.Link)
			case s.During.Outcome != agent.OutcomeOK && s.During.Bytes == 0:
				return fmt.Errorf("%s is %s without a byte", s.During.Link, s.During.Outcome)
			}
			return nil
		},
	})
}
