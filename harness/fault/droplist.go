package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/agent"
)

// DropList loses packets by their number, so that a run can be repeated to the packet.
// Each connection of the links counts on its own, its packets in the direction, those
// that are sent again too, from 1. The handshake's SYN has no number. Two packets that
// arrive on two processors at the same moment can get the same.
type DropList struct {
	Links     Links
	Packets   []int // numbers, from 1
	Direction Direction
}

// Kind implements Fault.
func (d DropList) Kind() string { return "drop-list" }

// Target implements Fault.
func (d DropList) Target() string {
	return d.Direction.in(fmt.Sprintf("%s packets %s", d.Links, strings.Trim(fmt.Sprint(d.Packets), "[]")))
}

// Plan implements Fault.
func (d DropList) Plan(t Target, id string) (Plan, error) {
	// segment is what a packet carries of TCP at least, when there is much to carry.
	const last, segment = 200, 1448
	if len(d.Packets) == 0 || slices.Min(d.Packets) < 1 || slices.Max(d.Packets) > last {
		return Plan{}, fmt.Errorf("packets %v: use numbers from 1 to %d", d.Packets, last)
	}
	edges, err := selected(t, d.Links)
	if err == nil {
		err = d.Direction.check()
	}
	if err != nil {
		return Plan{}, err
	}
	indices := make([]uint32, len(d.Packets))
	for i, n := range d.Packets {
		indices[i] = uint32(n) //nolint:gosec // checked above
	}
	asks := busy(d.Direction, (slices.Max(d.Packets)+len(d.Packets))*segment)
	seen := asked(t, edges, asks...)
	if len(seen) == 0 {
		return Plan{}, fmt.Errorf("no server on %s takes and gives as much as would show the fault", d.Links)
	}
	p := packets{edges: edges, direction: d.Direction, rule: agent.Rule{Verdict: agent.Drop, Sample: agent.Sample{Indices: indices}}}
	return Plan{
		Mechanism: "nftables, counted in the connection's mark", Needs: []string{"nft-ct-mark", "offloads"},
		Apply:    func(ctx context.Context) (Undo, error) { return p.applyOnWire(ctx, t, id) },
		Affected: edges, Lives: p.lives(), Edges: seen, Asks: asks,
		Counters: p.caught(t, id), Proven: everyDirection,
		Untouched: spareWire(0.05),
	}, nil
}
