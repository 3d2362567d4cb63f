package fault

import (
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// DNSSlow answers what nodes ask for, and answers late.
type DNSSlow struct {
	Nodes []topology.Node // who asks
	Of    []topology.Node // whose names; all if empty
	By    time.Duration
}

// Kind implements Fault.
func (d DNSSlow) Kind() string { return "dns-slow" }

// Target implements Fault.
func (d DNSSlow) Target() string { return fmt.Sprintf("%s, by %s", lookups{d.Nodes, d.Of}, d.By) }

// Plan implements Fault.
func (d DNSSlow) Plan(t Target, id string) (Plan, error) {
	if d.By < leastTime || d.By > mostTime {
		return Plan{}, fmt.Errorf("by %s: use %s to %s", d.By, leastTime, mostTime)
	}
	return lookups{d.Nodes, d.Of}.plan(t, id, agent.Spoof{Answer: agent.AnswerSlow, Delay: d.By}, Plan{
		Bites: slower(float64(d.By.Milliseconds())),
	}, 2*d.By+answerWithin)
}
