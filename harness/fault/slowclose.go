package fault

import (
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// SlowClose holds back the end of connections of some links: the server has closed, and
// the client learns of it By later.
type SlowClose struct {
	Links Links
	By    time.Duration
}

// Kind implements Fault.
func (s SlowClose) Kind() string { return "slow-close" }

// Target implements Fault.
func (s SlowClose) Target() string { return fmt.Sprintf("%s by %s", s.Links, s.By) }

// Plan implements Fault.
func (s SlowClose) Plan(t Target, id string) (Plan, error) {
	if s.By < leastTime || s.By > mostTime {
		return Plan{}, fmt.Errorf("by %s: use %s to %s", s.By, leastTime, mostTime)
	}
	effect := func(stream toxic.Stream) toxic.Toxic { return toxic.SlowClose{Delay: s.By, Stream: stream} }
	return streamPlan(t, s.Links, Downstream, id, effect, Plan{
		Mechanism: "toxiproxy slow_close",
		Asks:      []Ask{{Close: true, Silence: s.By*2 + 2*time.Second}},
		Bites: func(seen Sight) error {
			if seen.During.Outcome != agent.OutcomeOK {
				return fmt.Errorf("%s is %s", seen.During.Link, seen.During.Outcome)
			}
			if rise := seen.During.TotalMS - seen.Before.TotalMS; rise < 0.75*float64(s.By.Milliseconds()) {
				return fmt.Errorf("%s is closed %.0f ms later, %d were asked", seen.During.Link, rise, s.By.Milliseconds())
			}
			return nil
		},
	})
}
