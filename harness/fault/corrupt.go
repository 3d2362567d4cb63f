package fault

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
)

// Corrupt spoils the payload of packets of some links by chance, as a bad cable or bad
// memory on the way does: the receiver's checksum finds out, and TCP sends them again.
// What gets past checksums is Garble.
type Corrupt struct {
	Links     Links
	Percent   float64 // of all packets in a direction
	Direction Direction
}

// Kind implements Fault.
func (c Corrupt) Kind() string { return "corrupt" }

// Target implements Fault.
func (c Corrupt) Target() string { return c.Direction.in(fmt.Sprintf("%s %g %%", c.Links, c.Percent)) }

// Plan implements Fault.
func (c Corrupt) Plan(t Target, id string) (Plan, error) {
	plan, err := chancePlan(t, id, c.Links, c.Direction, c.Percent, 0, agent.Corrupt)
	if err == nil {
		plan.Mechanism += ", at the receiver, before its checksum"
		plan.Needs = append(plan.Needs, "nft-payload-write")
	}
	return plan, err
}
