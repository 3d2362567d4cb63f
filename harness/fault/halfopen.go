package fault

import (
	"time"

	"github.com/faultbed/faultbed/harness/toxic"
)

// HalfOpen takes the server's end of the connections of some links away and does not
// tell the client, as when a server's machine dies or a firewall forgets: what the
// client sends vanishes, and nothing ever comes. Those that it hit end when it is healed.
type HalfOpen struct {
	Links Links
}

// Kind implements Fault.
func (h HalfOpen) Kind() string { return "half-open" }

// Target implements Fault.
func (h HalfOpen) Target() string { return h.Links.String() }

// Plan implements Fault.
func (h HalfOpen) Plan(t Target, id string) (Plan, error) {
	effect := func(toxic.Stream) toxic.Toxic { return toxic.HalfOpen{} } // on both streams, by itself
	return streamPlan(t, h.Links, Downstream, id, effect, Plan{
		Mechanism: "toxiproxy half_open (ours)", Bites: muteDown, Asks: []Ask{{Silence: time.Second}},
	})
}
