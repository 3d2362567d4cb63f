package fault

import (
	"context"
	"fmt"

	"github.com/faultbed/faultbed/harness/agent"
)

// Rate bounds what each of some links carries in a direction, all of its connections
// together, as a line does: packets wait in a queue where they leave. Bandwidth, by
// contrast, bounds each connection.
type Rate struct {
	Links          Links
	BytesPerSecond int64 // of Ethernet frames: 1514 carry 1448 of a stream
	Direction      Direction
}

// Kind implements Fault.
func (r Rate) Kind() string { return "rate" }

// Target implements Fault.
func (r Rate) Target() string {
	return r.Direction.in(fmt.Sprintf("%s to %d bytes/s", r.Links, r.BytesPerSecond))
}

// Plan implements Fault.
func (r Rate) Plan(t Target, id string) (Plan, error) {
	// Below the least a single packet takes seconds; the most is what two cores still tell
	// from no bound.
	const least, most = 4_000, 5_000_000
	if r.BytesPerSecond < least || r.BytesPerSecond > most {
		return Plan{}, fmt.Errorf("%d bytes/s: use %d to %d", r.BytesPerSecond, least, most)
	}
	edges, err := selected(t, r.Links)
	if err == nil {
		err = r.Direction.check()
	}
	if err != nil {
		return Plan{}, err
	}
	asks := rated(r.Direction, r.BytesPerSecond)
	seen := asked(t, edges, asks...)
	if len(seen) == 0 {
		return Plan{}, fmt.Errorf("no server on %s takes and gives as much as would show the fault", r.Links)
	}
	var rates []agent.Rate
	var lives []string
	for _, e := range edges {
		proxy, port := t.Listener(e)
		if r.Direction.up() {
			lives = append(lives, e.Client)
			rates = append(rates, agent.Rate{Node: t.Container(e.Client), Direction: agent.Upstream, Original: t.Destination(e), BytesPerSecond: uint64(r.BytesPerSecond)}) //nolint:gosec // positive
		}
		if r.Direction.down() {
			rates = append(rates, agent.Rate{Node: proxy, Direction: agent.Downstream, Port: port, BytesPerSecond: uint64(r.BytesPerSecond)}) //nolint:gosec // positive
		}
	}
	return Plan{
		Mechanism: "HTB at the sender, offloads off", Needs: []string{"htb", "tbf", "offloads"},
		Affected: edges, Lives: lives, Edges: seen, Asks: asks, Bites: carriedAt(r.BytesPerSecond),
		Apply: func(ctx context.Context) (Undo, error) {
			var undos stack
			undos.push(once(func(ctx context.Context) error { return t.Kernel().RestoreOffload(ctx, id) }))
			if err := t.Kernel().Offload(ctx, id, packets{edges: edges}.ends(t)); err != nil {
				return undos.undo, fmt.Errorf("switch offloads off: %w", err)
			}
			undos.push(once(func(ctx context.Context) error { return t.Kernel().Unshape(ctx, id) }))
			if err := t.Kernel().Shape(ctx, id, rates); err != nil {
				return undos.undo, fmt.Errorf("bound rates: %w", err)
			}
			return undos.undo, nil
		},
		Counters: func(ctx context.Context) (map[string]uint64, error) {
			flows, err := t.Kernel().Shaped(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("read rates: %w", err)
			}
			sum := map[string]uint64{}
			for _, f := range flows {
				if f.Rate < len(rates) {
					sum["bytes "+rates[f.Rate].Direction.String()+" in the queue"] += f.Bytes
				}
			}
			return sum, nil
		},
		Proven: everyDirection,
	}, nil
}

// rated are the questions that show a rate, in bytes per second: half a second's worth.
func rated(d Direction, rate int64) []Ask {
	size := int(min(rate/2, padAtMost))
	if !d.up() {
		size = int(min(rate/2, 1<<20))
	}
	asks := busy(d, size)
	for i := range asks {
		asks[i].Silence = 4 * answerWithin
	}
	return asks
}
