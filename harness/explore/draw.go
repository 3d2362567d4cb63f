package explore

import (
	"math/rand/v2"
	"slices"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/topology"
)

// elsewhere is the place of nodes that are not where the others are.
const elsewhere = "b"

const (
	faultsAtMost = 3
	// attempts are how many faults are drawn, at most, for one that goes with the others.
	attempts = 30
)

// Draw is the plan of that number, from 1, of a seed: the same on every machine. It keeps
// all rules.
func Draw(seed int64, number int) Plan {
	r := rand.New(rand.NewPCG(uint64(seed), uint64(number))) //nolint:gosec // bits, and nothing to hide
	for {
		p := Plan{Seed: seed, Number: number, Topology: drawTopology(r)}
		p.drawFaults(r)
		able := p.able()
		if len(p.Faults) == 0 || len(able) == 0 {
			continue
		}
		p.drawSteps(r, able)
		if p.Check() == nil {
			return p
		}
	}
}

func drawTopology(r *rand.Rand) topology.Topology {
	t := topology.Of(pick(r, 1, 1, 2), 1+r.IntN(3), 2+r.IntN(3))
	clients := topology.Names(t.Of(topology.Seed, topology.Peer))
	if r.IntN(2) == 0 {
		t = t.Located(elsewhere, sample(r, clients)...)
	}
	switch r.IntN(4) { // older and newer ones do not speak with each other
	case 0:
		t = t.Released(topology.Previous, sample(r, clients)...)
	case 1:
		t = t.Released(topology.Next, sample(r, append(topology.Names(t.Of(topology.Supernode)), clients...))...)
	}
	if r.IntN(2) == 0 {
		t = t.OriginLimited(int64(3+r.IntN(6)) << 20)
	}
	return t
}

// sample draws at least one and at most half of names, in their order.
func sample(r *rand.Rand, names []string) []string {
	drawn := slices.Clone(names)
	r.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	drawn = drawn[:1+r.IntN(max(1, len(names)/2))]
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(drawn, name) })
}

// drawFaults adds faults that go with each other and leave a peer that can download.
func (p *Plan) drawFaults(r *rand.Rand) {
	for range 1 + r.IntN(faultsAtMost) {
		for range attempts {
			k, aim, ok := p.drawAim(r)
			if !ok {
				continue
			}
			with := *p
			with.Faults = append(slices.Clone(p.Faults), Fault{k.name, aim, k.make(r, aim.on(p.Topology))})
			if with.sharedLinks() == "" && with.spoiled() == "" && with.uncontrolled() == "" && with.harmsOld() == "" && len(with.able()) > 0 {
				*p = with
				break
			}
		}
	}
}

// drawAim draws a kind and what it is on: now and then one that composes with the latest
// fault, and where that is. False is that there is no such place.
func (p *Plan) drawAim(r *rand.Rand) (kind, Aim, bool) {
	if len(p.Faults) > 0 && r.IntN(2) == 0 {
		last := p.Faults[len(p.Faults)-1]
		for _, pair := range composing {
			if k := kindOf(pair[1]); pair[0] == last.Kind && r.IntN(2) == 0 {
				aim := last.Aim
				aim.Ports = k.shownOn(aim.Ports)
				return k, aim, len(aim.Ports) > 0
			}
		}
	}
	k := kinds[r.IntN(len(kinds))]
	aim, ok := k.aim(r, p.Topology)
	return k, aim, ok
}

// drawSteps draws what happens when: faults before the nodes start, before downloads begin
// or in the middle of one; downloads before or under them; and in which order all ends.
func (p *Plan) drawSteps(r *rand.Rand, able []string) {
	var later []Step
	for i, f := range p.Faults {
		inject := Step{Do: Inject, Fault: i}
		if kindOf(f.Kind).early && !p.ends(f) && r.IntN(3) == 0 {
			p.Steps = append(p.Steps, inject)
		} else {
			later = append(later, inject)
		}
	}
	p.Steps = append(p.Steps, Step{Do: Open, Spared: p.spared()})
	if len(later) > 0 && r.IntN(2) == 0 {
		if p.Topology.OriginRate == 0 { // else there is no halfway
			p.Topology.OriginRate = int64(3+r.IntN(3)) << 20
		}
		p.begin(pick(r, able...), fixtures.Layer16M)
		p.Steps = append(p.Steps, Step{Do: Halfway})
	}
	p.Steps = append(p.Steps, later...)
	peers := sample(r, able)
	if near := p.concerned(able); len(near) > 0 && r.IntN(4) > 0 {
		peers = sample(r, near)
	}
	for _, peer := range peers {
		p.begin(peer, pick(r, fixtures.Layer1M, fixtures.Layer4M, fixtures.Layer16M))
	}
	p.drawEnd(r)
}

// concerned are those of some peers that a fault is on the way of.
func (p *Plan) concerned(peers []string) []string {
	return slices.DeleteFunc(slices.Clone(peers), func(name string) bool {
		return !slices.ContainsFunc(p.Faults, func(f Fault) bool {
			return slices.Contains(f.Aim.Clients, name) || slices.Contains(f.Aim.Servers, name)
		})
	})
}

func (p *Plan) begin(peer string, file fixtures.File) {
	p.Downloads = append(p.Downloads, Download{peer, file.Name})
	p.Steps = append(p.Steps, Step{Do: Begin, Download: len(p.Downloads) - 1})
}

// drawEnd heals all faults and waits for all downloads, in a drawn order but for killed
// nodes, which come back first.
func (p *Plan) drawEnd(r *rand.Rand) {
	var end []Step
	for i := range p.Faults {
		end = append(end, Step{Do: Heal, Fault: i})
	}
	for i := range p.Downloads {
		end = append(end, Step{Do: Finish, Download: i})
	}
	r.Shuffle(len(end), func(i, j int) { end[i], end[j] = end[j], end[i] })
	heals := func(s Step) bool { return s.Do == Heal }
	first := slices.IndexFunc(end, heals)
	if i := slices.IndexFunc(end, func(s Step) bool { return heals(s) && p.Faults[s.Fault].Kind == killed }); i >= 0 {
		end[first], end[i] = end[i], end[first]
	}
	p.Steps = append(p.Steps, end...)
}

// spared are the nodes that faults which are there from the start may keep from a supernode.
func (p *Plan) spared() []string {
	kept := map[string]bool{}
	for i, f := range p.Faults {
		if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Do == Inject && s.Fault == i }) {
			continue
		}
		if kindOf(f.Kind).on == onNames && p.isAny(f.Aim.Servers, topology.Supernode) {
			for _, name := range f.Aim.Clients {
				kept[name] = true
			}
		}
		for _, e := range f.touches(p.Topology) {
			switch {
			case p.isAny([]string{e.Server}, topology.Supernode):
				kept[e.Client] = true
			case p.isAny([]string{e.Client}, topology.Supernode):
				kept[e.Server] = true
			}
		}
	}
	var names []string
	for _, n := range p.Topology.Of(topology.Seed, topology.Peer) {
		if kept[n.Name] {
			names = append(names, n.Name)
		}
	}
	return names
}
