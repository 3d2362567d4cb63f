package fault

import (
	"context"

	"github.com/faultbed/faultbed/harness/agent"
)

// Drop lets every packet of some links vanish, of open connections too: a firewall
// that drops, a cable that is cut.
type Drop struct {
	Links     Links
	Direction Direction // what vanishes; both if empty
}

// Kind implements Fault.
func (d Drop) Kind() string { return "drop" }

// Target implements Fault.
func (d Drop) Target() string { return d.Direction.in(d.Links.String()) }

// Plan implements Fault.
func (d Drop) Plan(t Target, id string) (Plan, error) {
	edges, err := selected(t, d.Links)
	if err == nil {
		err = d.Direction.check()
	}
	if err != nil {
		return Plan{}, err
	}
	p := packets{edges: edges, direction: d.Direction, rule: agent.Rule{Verdict: agent.Drop}}
	return Plan{
		Mechanism: "nftables drop",
		Apply:     func(ctx context.Context) (Undo, error) { return p.apply(ctx, t, id) },
		Affected:  edges, Lives: p.lives(), Edges: edges, Bites: silent,
		Counters: p.caught(t, id), Proven: somePackets,
	}, nil
}
