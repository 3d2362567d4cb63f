package fault

import (
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Stall keeps the connections of some links open, and no byte passes, until it is
// healed: then all arrives that was sent. A router that queues without end; a peer that
// is swapped out. With After the server says so many bytes on each connection before it
// falls silent: enough for a greeting, so that calls are made on it that nobody answers.
type Stall struct {
	Links     Links
	Direction Direction
	After     int64 // bytes, of what the server says
}

// Kind implements Fault.
func (s Stall) Kind() string { return "stall" }

// Target implements Fault.
func (s Stall) Target() string {
	if s.After != 0 {
		return s.Direction.in(fmt.Sprintf("%s after %d bytes", s.Links, s.After))
	}
	return s.Direction.in(s.Links.String())
}

// Plan implements Fault.
func (s Stall) Plan(t Target, id string) (Plan, error) {
	if s.After != 0 {
		return s.late(t, id)
	}
	effect := func(stream toxic.Stream) toxic.Toxic { return toxic.Stall{Stream: stream} }
	plan := Plan{Mechanism: "toxiproxy stall (ours)", Bites: muteDown, Asks: []Ask{{Silence: time.Second}}}
	if s.Direction == Upstream {
		plan.Bites = mute
	}
	return streamPlan(t, s.Links, s.Direction, id, effect, plan)
}

// late is Plan of a server that falls silent after its first words.
func (s Stall) late(t Target, id string) (Plan, error) {
	if s.After < 1 || s.After > cutAtMost || s.Direction == Upstream {
		return Plan{}, fmt.Errorf("after %d bytes: use 1 to %d, downstream", s.After, cutAtMost)
	}
	effect := func(stream toxic.Stream) toxic.Toxic { return toxic.Stall{Stream: stream, AfterBytes: s.After} }
	return streamPlan(t, s.Links, Downstream, id, effect, Plan{
		Mechanism: "toxiproxy stall (ours)",
		Asks:      []Ask{{Bulk: int(2*s.After) + 512}}, Bites: cutAfter(s.After, agent.OutcomeTimeout),
	})
}
