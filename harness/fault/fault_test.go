package fault_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// catalogue is every fault, aimed at w.
func catalogue(w *world) map[string]fault.Fault {
	peer, seed := w.node("peer-1"), w.node("seed-1")
	link := fault.From(peer).To(seed).Port(65002)
	nodes := []topology.Node{seed}
	return map[string]fault.Fault{
		"block-port dropped":  fault.BlockPort{Links: link, How: fault.Dropped},
		"block-port refused":  fault.BlockPort{Links: fault.Into(peer).Port(fault.Range(65000, 65020)...), How: fault.Refused},
		"unreachable dropped": fault.Unreachable{Nodes: nodes, How: fault.Dropped},
		"unreachable refused": fault.Unreachable{Nodes: nodes, How: fault.Refused},
		"unreachable paused":  fault.Unreachable{Nodes: nodes, How: fault.Paused},
		"unreachable killed":  fault.Unreachable{Nodes: nodes, How: fault.Killed},
		"mtu":                 fault.MTU{Links: link, Bytes: 1200},
		"mtu upstream":        fault.MTU{Links: link, Bytes: 1200, Direction: fault.Upstream},
		"mtu downstream":      fault.MTU{Links: link, Bytes: 1200, Direction: fault.Downstream},
		"clamp":               fault.Clamp{Nodes: nodes, Bytes: 1200},
		"fd-limit":            fault.FDLimit{Nodes: nodes},
		"fd-limit 3 spare":    fault.FDLimit{Nodes: nodes, Spare: 3},
		"delay":               fault.Delay{Links: link, By: 200 * time.Millisecond},
		"reset":               fault.Reset{Links: link},
		"bandwidth":           fault.Bandwidth{Links: link, BytesPerSecond: 100_000},
		"flap":                fault.Flap{Of: fault.BlockPort{Links: link, How: fault.Dropped}, Down: time.Second, Up: time.Second},
	}
}

func clock() int64 { return time.Now().UnixMilli() }

// TestEveryFaultBitesAndHeals takes each fault through its whole life.
func TestEveryFaultBitesAndHeals(t *testing.T) {
	for name := range catalogue(newWorld()) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			i, err := fault.Inject(t.Context(), w, catalogue(w)[name], fault.NewBook("t"), clock)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r := i.Record()
			if !r.Receipt.Bites || r.ConfirmedMS == nil {
				t.Errorf("%s: %+v", name, r.Receipt)
			}
			for range 2 { // healing twice is harmless
				if err := i.Heal(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if r := i.Record(); !r.Receipt.Gone || r.HealedMS == nil {
				t.Errorf("%s: not seen gone: %+v", name, r.Receipt)
			}
			if left := w.residue(); len(left) > 0 {
				t.Errorf("%s left %v", name, left)
			}
		})
	}
}

// TestNoopNeverBites leaves the effect of each fault out.
func TestNoopNeverBites(t *testing.T) {
	for name := range catalogue(newWorld()) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			i, err := fault.Inject(t.Context(), w, fault.Noop{Of: catalogue(w)[name]}, fault.NewBook("t"), clock)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r := i.Record(); r.Receipt.Bites || !strings.Contains(r.Receipt.Doubt, "does not bite") {
				t.Errorf("%s without effect: bites %v, doubt %q", name, r.Receipt.Bites, r.Receipt.Doubt)
			}
			if err := i.Heal(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// TestControl lets packet faults spill over all links.
func TestControl(t *testing.T) {
	for _, name := range []string{"block-port dropped", "block-port refused", "reset", "delay", "unreachable dropped", "mtu downstream"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.leaky = true
			i, err := fault.Inject(t.Context(), w, catalogue(w)[name], fault.NewBook("t"), clock)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r := i.Record(); r.Receipt.Bites || !strings.Contains(r.Receipt.Doubt, "control") {
				t.Errorf("%s on all links: bites %v, doubt %q", name, r.Receipt.Bites, r.Receipt.Doubt)
			}
			if err := i.Heal(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHalfAFault leaves out what one direction or one part of a fault does.
func TestHalfAFault(t *testing.T) {
	for name, half := range map[string]func(w *world){
		"mtu":                func(w *world) { w.deaf = "peer-1" }, // no rule in the client's namespace
		"unreachable killed": func(w *world) { w.immortal = true },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			half(w)
			i, err := fault.Inject(t.Context(), w, catalogue(w)[name], fault.NewBook("t"), clock)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r := i.Record().Receipt; r.Bites {
				t.Errorf("half of %s bites: %+v", name, r)
			}
			if err := i.Heal(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFDLimitInsists closes a descriptor after the limit was set.
func TestFDLimitInsists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.passing = 8 // one read before, six samples, one read when confirming
		i, err := fault.Inject(t.Context(), w, catalogue(w)["fd-limit"], fault.NewBook("t"), clock)
		if err != nil || !i.Record().Receipt.Bites {
			t.Errorf("%v, %+v", err, i.Record().Receipt)
		}
		if err := i.Heal(t.Context()); err != nil {
			t.Error(err)
		}
		if left := w.residue(); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	})
}

// TestGoneMeansWell heals a fault while its server is dead for another reason.
func TestGoneMeansWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		i, err := fault.Inject(t.Context(), w, catalogue(w)["delay"], fault.NewBook("t"), clock)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Pause(t.Context(), "seed-1"); err != nil {
			t.Fatal(err)
		}
		if err := i.Heal(t.Context()); err == nil || i.Record().Receipt.Gone {
			t.Errorf("a delay is gone though nobody answers: %v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	w := newWorld()
	peer := w.node("peer-1")
	for want, f := range map[string]fault.Fault{
		"no link of this bed":   fault.BlockPort{Links: fault.Into(peer).Port(1), How: fault.Dropped},
		"dropped or refused":    fault.BlockPort{Links: fault.Into(peer), How: fault.Paused},
		"no node given":         fault.Unreachable{How: fault.Dropped},
		"use 576 to 1499":       fault.MTU{Links: fault.Into(peer), Bytes: 100},
		"must be positive":      fault.Delay{Links: fault.Into(peer)},
		"use 1000 at least":     fault.Bandwidth{Links: fault.Into(peer), BytesPerSecond: 10},
		"spare none or more":    fault.FDLimit{Nodes: []topology.Node{peer}, Spare: -1},
		"gives a long answer":   fault.MTU{Links: fault.Into(peer).Port(65000), Bytes: 1200},
		"both must be positive": fault.Flap{Of: fault.Reset{Links: fault.Into(peer)}},
	} {
		i, err := fault.Inject(t.Context(), w, f, fault.NewBook("t"), clock)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s on %s: %v, want %q", f.Kind(), f.Target(), err, want)
		}
		if err := i.Heal(t.Context()); err != nil {
			t.Errorf("heal what was refused: %v", err)
		}
	}
}

// TestBook refuses a second fault of a kind on a link, and lets others compose.
func TestBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, book := newWorld(), fault.NewBook("t")
		link := fault.From(w.node("peer-1")).To(w.node("seed-1")).Port(65002)
		inject := func(f fault.Fault) (*fault.Injection, error) { return fault.Inject(t.Context(), w, f, book, clock) }
		slow, err := inject(fault.Delay{Links: link, By: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := inject(fault.Delay{Links: fault.Into(w.node("seed-1")), By: time.Second}); err == nil || !strings.Contains(err.Error(), "in force already") {
			t.Errorf("a second delay on the link: %v", err)
		}
		drop, err := inject(fault.BlockPort{Links: link, How: fault.Dropped})
		if err != nil || !drop.Record().Receipt.Bites {
			t.Errorf("a drop on a slow link: %v", err)
		}
		for _, i := range []*fault.Injection{slow, drop} {
			if err := i.Heal(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if _, err := inject(fault.Delay{Links: link, By: time.Second}); err != nil {
			t.Errorf("a delay after the first was healed: %v", err)
		}
	})
}

// TestRandomWalk takes 10,000 random steps through the lifecycles of all faults at
// once, every tenth call below failing. Whatever happened, healing with calls that
// succeed again leaves nothing.
func TestRandomWalk(t *testing.T) {
	const seed = 20261122
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a walk that must repeat
	names := []string{}
	for name := range catalogue(newWorld()) {
		names = append(names, name)
	}
	synctest.Test(t, func(t *testing.T) {
		w, book := newWorld(), fault.NewBook("t")
		failing := true
		w.fails = func(string) bool { return failing && random.IntN(10) == 0 }
		var held []*fault.Injection
		for step := range 10_000 {
			if len(held) > 0 && random.IntN(2) == 0 {
				k := random.IntN(len(held))
				if held[k].Heal(t.Context()) == nil {
					held = append(held[:k], held[k+1:]...)
				}
				continue
			}
			f := catalogue(w)[names[random.IntN(len(names))]]
			if random.IntN(4) == 0 {
				f = fault.Noop{Of: f}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			i, err := fault.Inject(ctx, w, f, book, clock)
			cancel()
			if i == nil {
				t.Fatalf("step %d: no injection to heal: %v", step, err)
			}
			held = append(held, i)
		}
		failing = false
		for _, i := range held {
			_ = i.Heal(t.Context()) // says what failed earlier
			if err := i.Heal(t.Context()); err != nil {
				t.Errorf("heal: %v", err)
			}
		}
		if left := w.residue(); len(left) > 0 {
			t.Errorf("after healing everything there is still %v", left)
		}
	})
}

func TestLinks(t *testing.T) {
	w := newWorld()
	peers := []topology.Node{w.node("peer-1"), w.node("peer-2")}
	for _, tc := range []struct {
		links fault.Links
		text  string
		n     int
	}{
		{fault.From(peers...).To(w.node("supernode-1")), "peer-1,peer-2>supernode-1", 2},
		{fault.Into(w.node("peer-1")).Port(fault.Range(65000, 65020)...), "*>peer-1:65000-65020", 10},
		{fault.Around(w.node("origin-1")), "*>origin-1 + origin-1>*", 6},
		{fault.Between(peers, []topology.Node{w.node("supernode-1")}).Port(65000, 8002), "peer-1,peer-2>supernode-1:65000,8002 + supernode-1>peer-1,peer-2:65000,8002", 4},
	} {
		if got := tc.links.String(); got != tc.text {
			t.Errorf("in words: %s, want %s", got, tc.text)
		}
		if got := tc.links.In(w.Edges()); len(got) != tc.n {
			t.Errorf("%s selects %d links, want %d: %v", tc.text, len(got), tc.n, got)
		}
	}
}
