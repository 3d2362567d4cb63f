package fault

import (
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/toxic"
)

// Delay holds back what passes on some links: By in each direction, plus or minus
// Jitter, the same for all that is under way at a moment.
type Delay struct {
	Links     Links
	By        time.Duration
	Jitter    time.Duration // plus or minus
	Direction Direction
}

// Kind implements Fault.
func (d Delay) Kind() string { return "delay" }

// Target implements Fault.
func (d Delay) Target() string {
	return d.Direction.in(fmt.Sprintf("%s by %s±%s", d.Links, d.By, d.Jitter))
}

// Plan implements Fault.
func (d Delay) Plan(t Target, id string) (Plan, error) {
	if d.Jitter < 0 || d.By-d.Jitter < leastTime || d.By > mostTime {
		return Plan{}, fmt.Errorf("by %s±%s: use %s at least, and %s at most", d.By, d.Jitter, leastTime, mostTime)
	}
	effect := func(s toxic.Stream) toxic.Toxic { return toxic.Latency{Delay: d.By, Jitter: d.Jitter, Stream: s} }
	return streamPlan(t, d.Links, d.Direction, id, effect, Plan{
		Mechanism: "toxiproxy latency",
		Bites:     slower(d.Direction.ways() * float64((d.By - d.Jitter).Milliseconds())),
		Asks:      []Ask{{Silence: d.By*8 + 2*time.Second}}, // a gRPC probe takes two round trips
	})
}
