package fault

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/toxic"
)

// Bandwidth limits what each connection of some links carries in a direction. Rate, by
// contrast, bounds all connections of a link together.
type Bandwidth struct {
	Links          Links
	BytesPerSecond int64
	Direction      Direction
}

// Kind implements Fault.
func (b Bandwidth) Kind() string { return "bandwidth" }

// Target implements Fault.
func (b Bandwidth) Target() string {
	return b.Direction.in(fmt.Sprintf("%s to %d bytes/s", b.Links, b.BytesPerSecond))
}

// Plan implements Fault.
func (b Bandwidth) Plan(t Target, id string) (Plan, error) {
	if b.BytesPerSecond < 1000 || b.BytesPerSecond%1000 != 0 {
		return Plan{}, fmt.Errorf("%d bytes/s: toxiproxy counts in thousands, use 1000 at least", b.BytesPerSecond)
	}
	effect := func(s toxic.Stream) toxic.Toxic {
		return toxic.Bandwidth{BytesPerSecond: b.BytesPerSecond, Stream: s}
	}
	return streamPlan(t, b.Links, b.Direction, id, effect, Plan{
		Mechanism: "toxiproxy bandwidth",
		Asks:      rated(b.Direction, b.BytesPerSecond), Bites: carriedAt(b.BytesPerSecond),
	})
}
