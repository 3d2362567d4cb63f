package explore

import (
	"fmt"
	"slices"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// rule is what every plan keeps. It says what is wrong, or nothing.
type rule struct {
	name  string
	wrong func(p Plan) string
}

// rules are why a plan can be proven, and what it asks can be asked: harness/fault says
// what a proof needs, and images/swarm/release.go what a release can do.
var rules = []rule{
	{"a link has one fault, or two that compose: else the proof of one would show the other", Plan.sharedLinks},
	{"kinds that spoil each other's proof are apart", Plan.spoiled},
	{"links are left without a fault: there is no proof without a control", Plan.uncontrolled},
	{"what can be there from the first packet leaves supernodes that count whoever is spared", Plan.headless},
	{"releases that do not try again meet no fault, and lose no supernode", Plan.harmsOld},
	{"who downloads under faults is there, and has a way to the file", Plan.starved},
	{"faults are injected once and healed once, a killed node first: nobody can be asked out of it", Plan.unhealed},
	{"downloads begin once and end once", Plan.unended},
}

// Check says which rules a plan breaks; nil if it can be run.
func (p Plan) Check() error {
	if err := p.Topology.Validate(); err != nil {
		return err
	}
	for _, r := range rules {
		if wrong := r.wrong(p); wrong != "" {
			return fmt.Errorf("%s: %s", r.name, wrong)
		}
	}
	return nil
}

// composing are kinds that may be on one link, in this order: what is lost or spoiled is
// proven by the kernel's counts, which nothing that comes late can change.
var composing = [][2]string{{"delay", "loss"}, {"delay", "corrupt"}}

func (p Plan) sharedLinks() string {
	held := map[fault.Edge]string{}
	for _, f := range p.Faults {
		for _, e := range f.touches(p.Topology) {
			if other, taken := held[e]; taken && !slices.Contains(composing, [2]string{other, f.Kind}) {
				return fmt.Sprintf("%s has %s and %s", e, other, f.Kind)
			}
			held[e] = f.Kind
		}
	}
	return ""
}

// spoilers are pairs of kinds that are not drawn together. Who is killed cannot be asked
// for names or descriptors, and what lay in its namespace is gone; of two answers for names
// in one namespace neither could be told from the other.
var spoilers = [][2]string{
	{killed, "dns-fail"},
	{killed, "dns-slow"},
	{killed, "fd-limit"},
	{killed, "partition"},
	{killed, killed},
	{"dns-fail", "dns-slow"},
	{"dns-fail", "dns-fail"},
	{"dns-slow", "dns-slow"},
}

func (p Plan) spoiled() string {
	for i, a := range p.Faults {
		for _, b := range p.Faults[i+1:] {
			if slices.Contains(spoilers, [2]string{a.Kind, b.Kind}) || slices.Contains(spoilers, [2]string{b.Kind, a.Kind}) {
				return a.Kind + " and " + b.Kind
			}
		}
	}
	return ""
}

func (p Plan) uncontrolled() string {
	const enough = 4 // as many as the harness looks at
	var held []fault.Edge
	for _, f := range p.Faults {
		held = append(held, f.touches(p.Topology)...)
	}
	free := 0
	for _, e := range edges(p.Topology) {
		if slices.Contains(bulky, e.Port) && !slices.Contains(held, e) {
			free++
		}
	}
	if free < enough {
		return fmt.Sprintf("%d are left that give long answers", free)
	}
	return ""
}

// early says whether a fault comes before the nodes start.
func (p Plan) early(f int) bool {
	for _, s := range p.Steps {
		switch {
		case s.Do == Open:
			return false
		case s.Do == Inject && s.Fault == f:
			return true
		}
	}
	return false
}

func (p Plan) headless() string {
	for i, f := range p.Faults {
		if p.early(i) && (!kindOf(f.Kind).early || p.ends(f)) {
			return f.String()
		}
	}
	return ""
}

// ends says whether a fault takes supernodes away as nodes.
func (p Plan) ends(f Fault) bool {
	return kindOf(f.Kind).on == onNodes && p.isAny(f.Aim.Servers, topology.Supernode)
}

// isAny says whether one of these nodes has this role.
func (p Plan) isAny(names []string, role topology.Role) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		n, found := p.Topology.Node(name)
		return found && n.Role == role
	})
}

func (p Plan) harmsOld() string {
	for _, n := range p.Topology.Nodes {
		if n.Release != topology.Previous {
			continue
		}
		if n.Role == topology.Supernode {
			return n.Name + " knows no second seed"
		}
		for _, f := range p.Faults {
			if p.ends(f) || slices.Contains(f.Aim.Clients, n.Name) || slices.Contains(f.Aim.Servers, n.Name) {
				return n.Name + " and " + f.String()
			}
		}
	}
	return ""
}

func (p Plan) starved() string {
	able := p.able()
	for _, d := range p.Downloads {
		if !slices.Contains(able, d.Peer) {
			return d.Peer
		}
	}
	return ""
}

// able are the peers that get a file under all of the plan's faults: those that no fault is
// on as nodes, and that reach the origin. Where nothing else is wrong, they need not.
func (p Plan) able() []string {
	var able []string
	for _, n := range p.Topology.Of(topology.Peer) {
		away, cut, alone := n.Release == topology.Previous, false, true
		for _, f := range p.Faults {
			k := kindOf(f.Kind)
			away = away || k.on == onNodes && slices.Contains(f.Aim.Servers, n.Name)
			fromOrigin := p.isAny(f.Aim.Servers, topology.Origin)
			cut = cut || k.blocks && fromOrigin && slices.Contains(f.Aim.Clients, n.Name)
			alone = alone && fromOrigin && !p.isAny(f.Aim.Clients, topology.Seed)
		}
		if !away && (!cut || alone) {
			able = append(able, n.Name)
		}
	}
	return able
}

func (p Plan) unhealed() string {
	injected, gone := map[int]bool{}, map[int]bool{}
	for _, s := range p.Steps {
		switch {
		case s.Do == Inject && injected[s.Fault]:
			return p.Faults[s.Fault].String() + " twice"
		case s.Do == Inject:
			injected[s.Fault] = true
		case s.Do == Heal && (!injected[s.Fault] || gone[s.Fault]):
			return p.Faults[s.Fault].String() + " is not in force"
		case s.Do == Heal:
			for i, f := range p.Faults {
				if f.Kind == killed && !gone[i] && i != s.Fault {
					return p.Faults[s.Fault].String() + " before " + f.String()
				}
			}
			gone[s.Fault] = true
		}
	}
	if len(gone) != len(p.Faults) {
		return fmt.Sprintf("%d of %d are healed", len(gone), len(p.Faults))
	}
	return ""
}

func (p Plan) unended() string {
	begun, over := map[int]bool{}, map[int]bool{}
	open := false
	for _, s := range p.Steps {
		known := s.Do == Begin || s.Do == Halfway || s.Do == Finish
		switch {
		case s.Do == Open:
			open = true
		case !known:
		case !open || begun[s.Download] == (s.Do == Begin) || over[s.Download]:
			return p.Say(s)
		case s.Do == Begin:
			begun[s.Download] = true
		case s.Do == Finish:
			over[s.Download] = true
		}
	}
	if !open || len(over) != len(p.Downloads) {
		return fmt.Sprintf("%d of %d are waited for", len(over), len(p.Downloads))
	}
	return ""
}
