package fault

import (
	"context"
	"slices"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
)

// How much is looked at.
const (
	probeAtMost   = 6 // links of a fault that are probed
	controlAtMost = 4
	stillAtMost   = 2
)

// aim chooses where to look at the fault, and where at what it must spare.
func (i *Injection) aim() {
	asks := i.plan.Asks
	if len(asks) == 0 {
		asks = []Ask{{}}
	}
	for _, ask := range asks {
		for _, e := range sample(i.plan.Edges, probeAtMost) {
			i.looks = append(i.looks, Look{Edge: e, Ask: ask})
		}
		if i.plan.Beside == nil {
			for _, e := range i.unfaulted(ask) {
				i.controls = append(i.controls, Look{Edge: e, Ask: ask})
			}
		}
	}
	if i.plan.looks != nil {
		i.looks = sample(i.plan.looks, probeAtMost)
	}
	i.controls = append(i.controls, i.plan.Beside...)
	i.controls = append(i.controls, i.plan.Still...)
}

// unfaulted picks control links near the fault: another port between the same two
// nodes, the same client to others, others to the same server, and the rest. What hits
// one of these too is more than the fault that was asked for. They are such that could
// show it: a port without long answers shows nothing of what befalls those.
func (i *Injection) unfaulted(ask Ask) []Edge {
	type pair struct{ client, server string }
	affected, pairs := map[Edge]bool{}, map[pair]bool{}
	clients, servers := map[string]bool{}, map[string]bool{}
	for _, e := range i.plan.Affected {
		affected[e], pairs[pair{e.Client, e.Server}] = true, true
		clients[e.Client], servers[e.Server] = true, true
	}
	var near [4][]Edge
	for _, e := range i.target.Edges() {
		switch {
		case i.book.dead(e.Client), affected[e], !answers(i.target, ask)(e):
		case pairs[pair{e.Client, e.Server}]:
			near[0] = append(near[0], e)
		case clients[e.Client]:
			near[1] = append(near[1], e)
		case servers[e.Server]:
			near[2] = append(near[2], e)
		default:
			near[3] = append(near[3], e)
		}
	}
	quiet := slices.DeleteFunc(slices.Concat(near[:]...), func(e Edge) bool { return i.book.disturbed(i.target, e) })
	if len(quiet) > 0 { // what another fault holds shows that fault
		for k := range near {
			near[k] = slices.DeleteFunc(near[k], func(e Edge) bool { return !slices.Contains(quiet, e) })
		}
	}
	var controls []Edge
	for _, edges := range near[:3] {
		controls = append(controls, sample(edges, 1)...)
	}
	rest := slices.DeleteFunc(slices.Concat(near[:]...), func(e Edge) bool { return slices.Contains(controls, e) })
	return append(controls, sample(rest, controlAtMost-len(controls))...)
}

// answers says whether a link's server can be asked this.
func answers(t Target, ask Ask) func(Edge) bool {
	return func(e Edge) bool {
		s := t.Speaks(e)
		return (ask.Bulk == 0 || s.Bulk) && (ask.Pad == 0 || s.Protocol != "tcp") && (!ask.Close || s.Protocol == "http")
	}
}

// asked keeps the edges that can be asked all of these.
func asked(t Target, edges []Edge, asks ...Ask) []Edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool {
		return slices.ContainsFunc(asks, func(a Ask) bool { return !answers(t, a)(e) })
	})
}

// sample picks at most n edges, evenly spread.
func sample[E any](edges []E, n int) []E {
	if len(edges) <= n {
		return slices.Clone(edges)
	}
	picked := make([]E, n)
	for k := range picked {
		picked[k] = edges[(2*k+1)*len(edges)/(2*n)]
	}
	return picked
}

// within gives looks a deadline of at least timeout, and at least the silence that
// their questions allow.
func within(looks []Look, timeout time.Duration) []Look {
	timed := slices.Clone(looks)
	for k := range timed {
		timed[k].Timeout = max(timeout, timed[k].Ask.Silence)
	}
	return timed
}

// settled looks until all links answer, or two looks in a row see the same, or the time
// for an answer is over: one slow answer before the fault must not spoil the proof.
func (i *Injection) settled(ctx context.Context, looks []Look) ([]history.Reading, error) {
	over := time.Now().Add(answerWithin)
	var last []history.Reading
	for {
		now, err := i.target.Look(ctx, within(looks, answerWithin))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(now, func(r history.Reading) bool { return r.Outcome != agent.OutcomeOK }) {
			return i.fastest(ctx, looks, now)
		}
		if last != nil && slices.EqualFunc(last, now, alike) || time.Now().After(over) {
			return now, nil
		}
		last = now
	}
}

// fastest looks again and keeps the faster reading of each link: a baseline that was slow
// for a moment would hide a fault that costs time.
func (i *Injection) fastest(ctx context.Context, looks []Look, readings []history.Reading) ([]history.Reading, error) {
	const more = 2
	for range more {
		now, err := i.target.Look(ctx, within(looks, answerWithin))
		if err != nil {
			return nil, err
		}
		for k, r := range now {
			if r.Outcome == agent.OutcomeOK && r.TotalMS < readings[k].TotalMS {
				readings[k] = r
			}
		}
	}
	return readings, nil
}
