package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/topology"
)

// Partition cuts sets of nodes from each other, whatever they speak: TCP and all else.
// A node in several sets is a bridge between them, one in none reaches everybody.
// After Jepsen's grudges.
type Partition struct {
	Sets [][]topology.Node
	// OneWay loses only what nodes of an earlier set send to nodes of a later one: the
	// later ones are heard and hear nothing.
	OneWay bool
}

// Kind implements Fault.
func (p Partition) Kind() string { return "partition" }

// Target implements Fault.
func (p Partition) Target() string {
	words := make([]string, len(p.Sets))
	for i, set := range p.Sets {
		words[i] = list(set)
	}
	between := " | "
	if p.OneWay {
		between = " -/> "
	}
	return strings.Join(words, between)
}

// cut says whether what from sends to to is lost.
func (p Partition) cut(from, to string) bool {
	lost := false
	for i, a := range p.Sets {
		if !slices.Contains(names(a), from) {
			continue
		}
		if slices.Contains(names(a), to) {
			return false
		}
		for j, b := range p.Sets {
			if slices.Contains(names(b), to) && (i < j || !p.OneWay) {
				lost = true
			}
		}
	}
	return lost
}

// Plan implements Fault.
func (p Partition) Plan(t Target, id string) (Plan, error) {
	if len(p.Sets) < 2 {
		return Plan{}, errors.New("fewer than two sets: nothing to cut")
	}
	for _, set := range p.Sets {
		if err := named(t, set); err != nil {
			return Plan{}, fmt.Errorf("a set of the partition: %w", err)
		}
	}
	var up, down, affected []Edge
	for _, e := range t.Edges() {
		there, back := p.cut(e.Client, e.Server), p.cut(e.Server, e.Client)
		if there {
			up = append(up, e)
		}
		if back {
			down = append(down, e)
		}
		if there || back {
			affected = append(affected, e)
		}
	}
	if len(affected) == 0 {
		return Plan{}, fmt.Errorf("no two nodes are cut from each other by %s", p.Target())
	}
	drop := agent.Rule{Verdict: agent.Drop}
	rules := slices.Concat(
		packets{edges: up, direction: Upstream, rule: drop}.rules(t),
		packets{edges: down, direction: Downstream, rule: drop}.rules(t),
		p.datagrams(t),
	)
	return Plan{
		Mechanism: "nftables drop",
		Apply:     func(ctx context.Context) (Undo, error) { return addRules(ctx, t, id, rules) },
		Affected:  affected, Lives: everybody(t), Edges: affected, Bites: silent,
		Counters: count(t, id, rules), Proven: somePackets,
	}, nil
}

// datagrams are the rules for what is not TCP: each node's, for whom it does not hear.
func (p Partition) datagrams(t Target) []agent.Rule {
	var rules []agent.Rule
	for _, to := range everybody(t) {
		rule := agent.Rule{Node: t.Container(to), Direction: agent.Upstream, Verdict: agent.Drop}
		for _, from := range everybody(t) {
			if from != to && p.cut(from, to) {
				rule.Peers = append(rule.Peers, t.Address(from))
			}
		}
		if len(rule.Peers) > 0 {
			rules = append(rules, rule)
		}
	}
	return rules
}
