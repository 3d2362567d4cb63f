package fault

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Reset resets every connection of some links once the server has answered After bytes
// on it; at once, when it begins to, if 0.
type Reset struct {
	Links Links
	After int64
}

// Kind implements Fault.
func (r Reset) Kind() string { return "reset" }

// Target implements Fault.
func (r Reset) Target() string {
	if r.After == 0 {
		return r.Links.String()
	}
	return fmt.Sprintf("%s after %d bytes", r.Links, r.After)
}

// Plan implements Fault.
func (r Reset) Plan(t Target, id string) (Plan, error) {
	if r.After < 0 || r.After > cutAtMost {
		return Plan{}, fmt.Errorf("after %d bytes: use 0 to %d", r.After, cutAtMost)
	}
	if r.After == 0 {
		effect := func(s toxic.Stream) toxic.Toxic { return toxic.ResetPeer{Stream: s} }
		return streamPlan(t, r.Links, Downstream, id, effect, Plan{
			Mechanism: "toxiproxy reset_peer",
			Bites:     func(s Sight) error { return turned(s, agent.OutcomeReset) },
		})
	}
	effect := func(s toxic.Stream) toxic.Toxic { return toxic.ResetAfter{Bytes: r.After, Stream: s} }
	return streamPlan(t, r.Links, Downstream, id, effect, Plan{
		Mechanism: "toxiproxy limit_data, closed by a reset",
		Asks:      []Ask{{Bulk: int(2*r.After) + 512}}, Bites: cutAfter(r.After, agent.OutcomeReset),
	})
}

// cutAtMost is up to where an answer can be cut, in bytes: probes ask for twice as much.
const cutAtMost = 1 << 20
