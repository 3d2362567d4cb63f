package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/faultbed/faultbed/harness/agent"
)

// MTU is a path that does not carry packets longer than Bytes. As a black hole it
// swallows them and tells nobody, as a tunnel whose "fragmentation needed" is filtered:
// connections open, small messages pass, the first full segment never arrives. If
// Tells, it is healthy: it says so by ICMP, with its MTU, and the sender adapts
// (RFC 1191).
type MTU struct {
	Links     Links
	Bytes     int // longest IP packet that passes
	Direction Direction
	Tells     bool
}

// probeBulk is how many bytes a probe sends and asks for to fill several segments of
// the usual 1500 byte MTU.
const probeBulk = 8 << 10

// Kind implements Fault.
func (m MTU) Kind() string { return "mtu" }

// Target implements Fault.
func (m MTU) Target() string {
	words := fmt.Sprintf("%s over %d bytes", m.Links, m.Bytes)
	if m.Tells {
		words += ", told,"
	}
	return m.Direction.in(words)
}

// Plan implements Fault.
func (m MTU) Plan(t Target, id string) (Plan, error) {
	// RFC 791: every host must accept 576 bytes; below it the handshake itself may not pass.
	if m.Bytes < 576 || m.Bytes > 1499 {
		return Plan{}, fmt.Errorf("%d bytes: use 576 to 1499", m.Bytes)
	}
	edges, err := selected(t, m.Links)
	if err == nil {
		err = m.Direction.check()
	}
	if err != nil {
		return Plan{}, err
	}
	p := packets{edges: edges, direction: m.Direction, rule: agent.Rule{Verdict: agent.Drop, LongerThan: m.Bytes}}
	plan := Plan{
		Mechanism: "nftables drop by IP length, offloads off", Needs: []string{"offloads"},
		Affected: edges, Lives: p.lives(), Bites: silent,
		Apply: func(ctx context.Context) (Undo, error) { return p.applyOnWire(ctx, t, id) },
	}
	if m.Direction.up() {
		plan.Asks = append(plan.Asks, Ask{Pad: probeBulk})
	}
	if m.Direction.down() {
		plan.Asks = append(plan.Asks, Ask{Bulk: probeBulk})
	}
	if plan.Edges = asked(t, edges, plan.Asks...); len(plan.Edges) == 0 {
		return Plan{}, fmt.Errorf("no server on %s gives a long answer, or takes a long request: nothing would show the fault", m.Links)
	}
	for _, e := range sample(edges, stillAtMost) {
		plan.Still = append(plan.Still, Look{Edge: e}) // short messages pass
	}
	if m.Tells {
		p.rule.Verdict = agent.TooBig
		m.tell(t, id, p, &plan)
	}
	plan.Counters, plan.Proven = p.caught(t, id), everyDirection
	return plan, nil
}

// tell makes the plan that of a healthy path. What a sender learns holds for all that it
// sends to that address: upstream a client to a server, downstream the proxy to a client.
func (m MTU) tell(t Target, id string, p packets, plan *Plan) {
	plan.Mechanism = "nftables reject with icmp fragmentation needed and the MTU, offloads off"
	plan.Needs, plan.Bites = append(plan.Needs, "nft-payload-write"), m.learned
	// It lives where the sender is, too.
	plan.Lives = nil
	for _, e := range p.edges {
		plan.Lives = append(plan.Lives, e.Client)
	}
	type way struct{ from, to string }
	learned := map[way]bool{}
	senders := map[string]bool{}
	for _, e := range p.edges {
		proxy, _ := t.Listener(e)
		if m.Direction.up() {
			learned[way{e.Client, e.Server}] = true
			senders[t.Container(e.Client)] = true
		}
		if m.Direction.down() {
			learned[way{"", e.Client}] = true
			senders[proxy] = true
		}
	}
	plan.Affected = slices.DeleteFunc(slices.Clone(t.Edges()), func(e Edge) bool {
		return !learned[way{e.Client, e.Server}] && !learned[way{"", e.Client}] && !learned[way{"", e.Server}]
	})
	plan.Apply = func(ctx context.Context) (Undo, error) {
		undo, err := p.applyOnWire(ctx, t, id)
		return once(func(ctx context.Context) error {
			if err := undo(ctx); err != nil {
				return err // what is forgotten before would be learned again
			}
			var errs []error
			for _, sender := range slices.Sorted(maps.Keys(senders)) {
				if err := t.Kernel().ForgetPaths(ctx, []string{sender}); !errors.Is(err, agent.ErrNodeGone) { // it has forgotten
					errs = append(errs, err)
				}
			}
			return errors.Join(errs...)
		}), err
	}
}

// learned is Bites for a path that tells: all is answered, in packets that fit.
func (m MTU) learned(s Sight) error {
	w, headers := s.During.Wire, uint32(40)
	most := uint32(m.Bytes) //nolint:gosec // checked by Plan
	switch {
	case s.During.Outcome != agent.OutcomeOK:
		return fmt.Errorf("%s is %s", s.During.Link, s.During.Outcome)
	case s.Ask.Pad > 0 && w.PathMTU != most:
		return fmt.Errorf("%s takes its path for %d bytes wide, not %d", s.During.Link, w.PathMTU, most)
	case s.Ask.Bulk > 0 && (w.ReceiveMSS > most-headers || s.Before.Wire.ReceiveMSS <= most-headers):
		return fmt.Errorf("%s gets segments of %d bytes, was %d", s.During.Link, w.ReceiveMSS, s.Before.Wire.ReceiveMSS)
	}
	return nil
}
