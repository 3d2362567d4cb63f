package explore

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/topology"
)

// hand makes a plan by hand: its faults come once the swarm is there, peer-1 downloads
// under them, and all ends.
func hand(t *testing.T, layout topology.Topology, faults ...Fault) Plan {
	t.Helper()
	p := Plan{Topology: layout, Steps: []Step{{Do: Open}}, Downloads: []Download{{"peer-1", "layer-1m"}}}
	r := rand.New(rand.NewPCG(1, 1))
	var heals []Step
	for i, f := range faults {
		f.Of = kindOf(f.Kind).make(r, f.Aim.on(layout))
		p.Faults = append(p.Faults, f)
		p.Steps = append(p.Steps, Step{Do: Inject, Fault: i})
		heals = append(heals, Step{Do: Heal, Fault: i})
	}
	p.Steps = append(append(p.Steps, Step{Do: Begin}, Step{Do: Finish}), heals...)
	return p
}

func on(kind string, clients, servers string, ports ...int) Fault {
	return Fault{Kind: kind, Aim: Aim{Clients: strings.Fields(clients), Servers: strings.Fields(servers), Ports: ports}}
}

func TestRulesRefuse(t *testing.T) {
	small := topology.Small()
	all := "supernode-1 seed-1 seed-2 peer-1 peer-2 peer-3"
	first := func(p Plan) Plan { // the fault comes before the nodes start
		p.Steps[0], p.Steps[1] = p.Steps[1], p.Steps[0]
		return p
	}
	steps := func(p Plan, change func([]Step) []Step) Plan {
		p.Steps = change(p.Steps)
		return p
	}
	for name, c := range map[string]struct {
		plan Plan
		want string // "" if it is a plan
	}{
		"one fault":                     {hand(t, small, on("drop", "peer-1", "seed-1", 65002)), ""},
		"two on two ports":              {hand(t, small, on("drop", "peer-1", "seed-1", 65002), on("delay", "peer-1", "seed-1", 65000)), ""},
		"two on one link":               {hand(t, small, on("drop", "peer-1", "seed-1", 65002), on("delay", "peer-1 peer-2", "seed-1", 65002)), "a link has one fault"},
		"two that compose":              {hand(t, small, on("delay", "peer-1", "seed-1", 65002), on("loss", "peer-1", "seed-1", 65002)), ""},
		"the same, the other way round": {hand(t, small, on("loss", "peer-1", "seed-1", 65002), on("delay", "peer-1", "seed-1", 65002)), "a link has one fault"},
		"a link of a node away":         {hand(t, small, on("paused", "", "seed-1"), on("delay", "seed-1", "origin-1", 80)), "a link has one fault"},
		"a link across a cut":           {hand(t, small, on("partition", "peer-1", "seed-1"), on("delay", "seed-1", "peer-1", 65002)), "a link has one fault"},
		"names of the dead":             {hand(t, small, on(killed, "", "seed-1"), on("dns-fail", "peer-1", "supernode-1")), "apart"},
		"two answers":                   {hand(t, small, on("dns-slow", "peer-1", "supernode-1"), on("dns-fail", "peer-2", "supernode-1")), "apart"},
		"no control":                    {hand(t, small, on("drop", all, all+" origin-1")), "without a control"},
		"a delay before the start":      {first(hand(t, small, on("delay", "peer-1", "seed-1", 65002))), "from the first packet"},
		"a drop before the start":       {first(hand(t, small, on("drop", "peer-1", "seed-1", 65002))), ""},
		"no supernode from the start":   {first(hand(t, small, on("refused", "", "supernode-1"))), "from the first packet"},
		"an old peer's link":            {hand(t, small.Released(topology.Previous, "peer-2"), on("delay", "peer-2", "seed-1", 65002)), "do not try again"},
		"an old peer's supernode":       {hand(t, small.Released(topology.Previous, "peer-2"), on("paused", "", "supernode-1")), "do not try again"},
		"an old supernode":              {hand(t, small.Released(topology.Previous, "supernode-1"), on("delay", "peer-1", "seed-1", 65002)), "do not try again"},
		"an old peer downloads":         {hand(t, small.Released(topology.Previous, "peer-1"), on("delay", "peer-2", "seed-1", 65002)), "a way to the file"},
		"a dead peer downloads":         {hand(t, small, on(killed, "", "peer-1")), "a way to the file"},
		"cut from all":                  {hand(t, small, on("drop", "peer-1", "origin-1", 80), on("drop", "peer-1", "seed-1 seed-2 peer-2 peer-3", 65002)), "a way to the file"},
		"cut from the origin alone":     {hand(t, small, on("drop", "peer-1", "origin-1", 80)), ""},
		"cut with the seeds":            {hand(t, small, on("drop", "peer-1", "origin-1", 80), on("drop", "seed-1 seed-2", "origin-1", 80)), "a way to the file"},
		"only seeds cut from it":        {hand(t, small, on("drop", "seed-1 seed-2", "origin-1", 80)), ""},
		"no name for the origin":        {hand(t, small, on("dns-fail", "peer-1", "origin-1"), on("paused", "", "seed-1")), "a way to the file"},
		"healed twice":                  {steps(hand(t, small, on("drop", "peer-1", "seed-1", 65002)), func(s []Step) []Step { return append(s, s[len(s)-1]) }), "healed once"},
		"never healed":                  {steps(hand(t, small, on("drop", "peer-1", "seed-1", 65002)), func(s []Step) []Step { return s[:len(s)-1] }), "healed once"},
		"the dead back last":            {hand(t, small, on("drop", "peer-1", "seed-1", 65002), on(killed, "", "seed-2")), "a killed node first"},
		"a download that never ends":    {steps(hand(t, small), func(s []Step) []Step { return s[:2] }), "downloads begin once"},
		"a download before the start":   {steps(hand(t, small), func(s []Step) []Step { return []Step{s[1], s[0], s[2]} }), "downloads begin once"},
		"a download that has not begun": {steps(hand(t, small), func(s []Step) []Step { return []Step{s[0], s[2], s[1]} }), "downloads begin once"},
		"no supernode":                  {hand(t, topology.Of(0, 1, 2)), "no supernode"},
	} {
		err := c.plan.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestSparedAreThoseThatAFaultFromTheStartKeepsOut(t *testing.T) {
	for name, c := range map[string]struct {
		of   Fault
		want string
	}{
		"its way to the supernode":  {on("drop", "peer-1 seed-2", "supernode-1", 8002), "seed-2 peer-1"},
		"the supernode's way to it": {on("refuse", "supernode-1", "peer-3", 65000), "peer-3"},
		"between peers":             {on("drop", "peer-1", "peer-2", 65002), ""},
		"as a node":                 {on("dropped", "", "seed-1"), "seed-1"},
		"no name for the supernode": {on("dns-fail", "peer-2", "supernode-1"), "peer-2"},
		"no name for the origin":    {on("dns-fail", "peer-2", "origin-1"), ""},
		"a cut":                     {on("partition", "peer-1", "supernode-1 seed-1"), "peer-1"},
	} {
		p := hand(t, topology.Small(), c.of)
		if got := strings.Join(p.spared(), " "); got != c.want {
			t.Errorf("%s: %q are spared, want %q", name, got, c.want)
		}
	}
}
