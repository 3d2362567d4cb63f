package fault

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// LimitData closes every connection of some links, in an orderly way, once the server has
// answered After bytes on it: an answer that is cut short.
type LimitData struct {
	Links Links
	After int64
}

// Kind implements Fault.
func (l LimitData) Kind() string { return "limit-data" }

// Target implements Fault.
func (l LimitData) Target() string { return fmt.Sprintf("%s after %d bytes", l.Links, l.After) }

// Plan implements Fault.
func (l LimitData) Plan(t Target, id string) (Plan, error) {
	if l.After < 1 || l.After > cutAtMost {
		return Plan{}, fmt.Errorf("after %d bytes: use 1 to %d", l.After, cutAtMost)
	}
	effect := func(s toxic.Stream) toxic.Toxic { return toxic.LimitData{Bytes: l.After, Stream: s} }
	return streamPlan(t, l.Links, Downstream, id, effect, Plan{
		Mechanism: "toxiproxy limit_data",
		Asks:      []Ask{{Bulk: int(2*l.After) + 512}}, Bites: cutAfter(l.After, agent.OutcomeClosed),
	})
}
