package fault

import (
	"context"
	"fmt"
	"math"

	"github.com/faultbed/faultbed/harness/agent"
)

// Loss loses packets of some links by chance.
type Loss struct {
	Links   Links
	Percent float64 // of all packets in a direction
	// Burst is how many are lost in a row, on average: the model of Gilbert (Bell System
	// Technical Journal 39, 1960). 0 and 1 are independent losses.
	Burst     int
	Direction Direction
}

// lossBulk is how much a probe moves to meet a loss, in bytes: some 90 full packets.
const lossBulk = 128 << 10

// Kind implements Fault.
func (l Loss) Kind() string { return "loss" }

// Target implements Fault.
func (l Loss) Target() string {
	words := fmt.Sprintf("%s %g %%", l.Links, l.Percent)
	if l.Burst > 1 {
		words += fmt.Sprintf(" in bursts of %d", l.Burst)
	}
	return l.Direction.in(words)
}

// Plan implements Fault.
func (l Loss) Plan(t Target, id string) (Plan, error) {
	return chancePlan(t, id, l.Links, l.Direction, l.Percent, l.Burst, agent.Drop)
}

// chancePlan plans a verdict over packets by chance.
func chancePlan(t Target, id string, links Links, d Direction, percent float64, burst int, verdict agent.Verdict) (Plan, error) {
	const least, most = 0.1, 90 // fewer a probe would not meet, and with more it never ends
	if percent < least || percent > most || burst < 0 {
		return Plan{}, fmt.Errorf("%g %% in bursts of %d: use %g to %d %%, and no negative burst", percent, burst, least, most)
	}
	edges, err := selected(t, links)
	if err == nil {
		err = d.check()
	}
	if err != nil {
		return Plan{}, err
	}
	asks := busy(d, lossBulk)
	seen := asked(t, edges, asks...)
	if len(seen) == 0 {
		return Plan{}, fmt.Errorf("no server on %s takes and gives as much as would show the fault", links)
	}
	empty := 0
	if verdict == agent.Corrupt { // what carries nothing has nothing to spoil
		empty = 20 + 20 + 12 + 2
	}
	p := packets{edges: edges, direction: d, rule: agent.Rule{Verdict: verdict, LongerThan: empty, Sample: agent.Sample{
		PerMillion: uint32(percent * 10_000), Burst: uint32(burst), //nolint:gosec // checked above
	}}}
	needs := []string{"nft-numgen", "offloads"}
	if burst > 1 {
		needs = append(needs, "nft-ct-mark")
	}
	return Plan{
		Mechanism: "nftables numgen random, " + verdict.String(), Needs: needs,
		Apply:    func(ctx context.Context) (Undo, error) { return p.applyOnWire(ctx, t, id) },
		Affected: edges, Lives: p.lives(), Edges: seen, Asks: asks,
		Counters: p.caught(t, id), Proven: byChance(p.rules(t), percent/100, burst),
		Untouched: spareWire(percent / 100),
	}, nil
}

// byChance is Proven for rules that hit by chance: in every direction they hit some, and
// as many as such a chance makes likely, within five standard deviations. Bursts spread
// the count wider, by a factor of 2*burst-1 in the variance (a geometric distribution).
func byChance(rules []agent.Rule, p float64, burst int) func(_, during map[string]uint64) error {
	return func(_, during map[string]uint64) error {
		for _, r := range rules {
			hit, of := float64(during[hits(r)]), float64(during[seen(r)])
			spread := 5 * math.Sqrt(of*p*(1-p)*float64(2*max(burst, 1)-1))
			if hit == 0 || math.Abs(hit-of*p) > spread+1 {
				return fmt.Errorf("%.0f of %.0f packets %s were hit, %.1f were asked for", hit, of, r.Direction, of*p)
			}
		}
		return nil
	}
}
