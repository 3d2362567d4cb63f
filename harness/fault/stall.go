package fault

import (
	"time"

	"github.com/faultbed/faultbed/harness/toxic"
)

// Stall keeps the connections of some links open, and no byte passes, until it is
// healed: then all arrives that was sent. A router that queues without end; a peer that
// is swapped out.
type Stall struct {
	Links     Links
	Direction Direction
}

// Kind implements Fault.
func (s Stall) Kind() string { return "stall" }

// Target implements Fault.
func (s Stall) Target() string { return s.Direction.in(s.Links.String()) }

// Plan implements Fault.
func (s Stall) Plan(t Target, id string) (Plan, error) {
	effect := func(stream toxic.Stream) toxic.Toxic { return toxic.Stall{Stream: stream} }
	plan := Plan{Mechanism: "toxiproxy stall (ours)", Bites: muteDown, Asks: []Ask{{Silence: time.Second}}}
	if s.Direction == Upstream {
		plan.Bites = mute
	}
	return streamPlan(t, s.Links, s.Direction, id, effect, plan)
}
