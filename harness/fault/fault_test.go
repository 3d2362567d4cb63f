package fault_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// entry is a fault, and the same aimed at more than it should be.
type entry struct {
	of   fault.Fault
	over []fault.Fault
}

// catalogue is every fault, aimed at w.
func catalogue(w *world) map[string]entry {
	peer, seed := w.node("peer-1"), w.node("seed-1")
	link, all := fault.From(peer).To(seed).Port(65002), fault.Between(w.topo.Nodes, w.topo.Nodes)
	peers, seeds := []topology.Node{peer, w.node("peer-2")}, []topology.Node{seed}
	askers := w.topo.Nodes[:6]                          // all but the origin
	most := w.topo.Of(topology.Peer, topology.Seed)[:4] // somebody has to be left to see it
	entries := map[string]entry{}
	onLinks := func(name string, f func(fault.Links) fault.Fault) {
		entries[name] = entry{f(link), []fault.Fault{f(all)}}
	}
	onNodes := func(name string, f func([]topology.Node) fault.Fault) {
		entries[name] = entry{f(seeds), []fault.Fault{f(most)}}
	}
	for _, how := range []fault.How{fault.Dropped, fault.Refused} {
		onLinks("block-port "+string(how), func(l fault.Links) fault.Fault { return fault.BlockPort{Links: l, How: how} })
	}
	for _, how := range []fault.How{fault.Dropped, fault.Refused, fault.Paused, fault.Killed} {
		entries["unreachable "+string(how)] = entry{
			fault.Unreachable{Nodes: seeds, How: how}, []fault.Fault{fault.Unreachable{Nodes: most, How: how}},
		}
	}
	for _, d := range []fault.Direction{fault.Both, fault.Upstream, fault.Downstream} {
		onLinks("drop "+string(d), func(l fault.Links) fault.Fault { return fault.Drop{Links: l, Direction: d} })
		onLinks("loss "+string(d), func(l fault.Links) fault.Fault { return fault.Loss{Links: l, Percent: 20, Direction: d} })
		onLinks("loss in bursts "+string(d), func(l fault.Links) fault.Fault {
			return fault.Loss{Links: l, Percent: 20, Burst: 4, Direction: d}
		})
		onLinks("corrupt "+string(d), func(l fault.Links) fault.Fault { return fault.Corrupt{Links: l, Percent: 20, Direction: d} })
		onLinks("drop-list "+string(d), func(l fault.Links) fault.Fault {
			return fault.DropList{Links: l, Packets: []int{2, 3, 5, 8, 13, 21}, Direction: d}
		})
		onLinks("duplicate "+string(d), func(l fault.Links) fault.Fault { return fault.Duplicate{Links: l, Direction: d} })
		onLinks("mtu "+string(d), func(l fault.Links) fault.Fault { return fault.MTU{Links: l, Bytes: 1200, Direction: d} })
		onLinks("mtu that tells "+string(d), func(l fault.Links) fault.Fault {
			return fault.MTU{Links: l, Bytes: 1200, Direction: d, Tells: true}
		})
		onLinks("rate "+string(d), func(l fault.Links) fault.Fault { return fault.Rate{Links: l, BytesPerSecond: 100_000, Direction: d} })
		onLinks("delay "+string(d), func(l fault.Links) fault.Fault {
			return fault.Delay{Links: l, By: 200 * time.Millisecond, Direction: d}
		})
		onLinks("bandwidth "+string(d), func(l fault.Links) fault.Fault {
			return fault.Bandwidth{Links: l, BytesPerSecond: 100_000, Direction: d}
		})
		onLinks("slice "+string(d), func(l fault.Links) fault.Fault {
			return fault.Slice{Links: l, Bytes: 100, Vary: 10, Pause: 10 * time.Millisecond, Direction: d}
		})
		onLinks("stall "+string(d), func(l fault.Links) fault.Fault { return fault.Stall{Links: l, Direction: d} })
	}
	for _, with := range []fault.Refusal{
		fault.ByReset, fault.NetUnreachable, fault.HostUnreachable, fault.NoProtocol, fault.NoPort,
		fault.NetProhibited, fault.HostProhibited, fault.FirewallProhibits,
	} {
		onLinks("refuse with "+string(with), func(l fault.Links) fault.Fault { return fault.Refuse{Links: l, With: with} })
	}
	onLinks("slice to bytes", func(l fault.Links) fault.Fault { return fault.Slice{Links: l, Bytes: 1, Direction: fault.Downstream} })
	onLinks("slow-close", func(l fault.Links) fault.Fault { return fault.SlowClose{Links: l, By: 400 * time.Millisecond} })
	onLinks("reset", func(l fault.Links) fault.Fault { return fault.Reset{Links: l} })
	onLinks("reset after", func(l fault.Links) fault.Fault { return fault.Reset{Links: l, After: 5000} })
	onLinks("stall after", func(l fault.Links) fault.Fault { return fault.Stall{Links: l, After: 5000} })
	onLinks("limit-data", func(l fault.Links) fault.Fault { return fault.LimitData{Links: l, After: 5000} })
	onLinks("half-open", func(l fault.Links) fault.Fault { return fault.HalfOpen{Links: l} })
	onLinks("garble", func(l fault.Links) fault.Fault { return fault.Garble{Links: l, Every: 100} })
	onLinks("udp-block", func(l fault.Links) fault.Fault { return fault.UDPBlock{Links: l, Ports: []int{4006}} })
	onLinks("flap", func(l fault.Links) fault.Fault {
		return fault.Flap{Of: fault.Drop{Links: l}, Period: 2 * time.Second, Duty: 0.5}
	})
	onLinks("once", func(l fault.Links) fault.Fault { return fault.Once{Of: fault.Drop{Links: l}, For: time.Second} })
	onLinks("ramp", func(l fault.Links) fault.Fault {
		return fault.Ramp{Every: time.Second, Steps: []fault.Fault{
			fault.Delay{Links: l, By: 100 * time.Millisecond}, fault.Delay{Links: l, By: 300 * time.Millisecond},
		}}
	})
	for _, oneWay := range []bool{false, true} {
		name := map[bool]string{false: "partition", true: "partition one way"}[oneWay]
		entries[name] = entry{
			fault.Partition{Sets: [][]topology.Node{peers, seeds}, OneWay: oneWay},
			[]fault.Fault{fault.Partition{Sets: [][]topology.Node{w.topo.Of(topology.Peer), w.topo.Of(topology.Seed, topology.Supernode)}}},
		}
	}
	onNodes("pause", func(n []topology.Node) fault.Fault { return fault.Pause{Nodes: n} })
	onNodes("kill", func(n []topology.Node) fault.Fault { return fault.Kill{Nodes: n} })
	onNodes("stop", func(n []topology.Node) fault.Fault { return fault.Stop{Nodes: n} })
	onNodes("restart", func(n []topology.Node) fault.Fault { return fault.Restart{Nodes: n} })
	onNodes("clamp", func(n []topology.Node) fault.Fault { return fault.Clamp{Nodes: n, Bytes: 1200} })
	onNodes("fd-limit", func(n []topology.Node) fault.Fault { return fault.FDLimit{Nodes: n} })
	onNodes("fd-limit 3 spare", func(n []topology.Node) fault.Fault { return fault.FDLimit{Nodes: n, Spare: 3} })
	onNodes("cpu-starve", func(n []topology.Node) fault.Fault { return fault.CPUStarve{Nodes: n, CPUs: 0.05} })
	onNodes("memory-limit", func(n []topology.Node) fault.Fault { return fault.MemoryLimit{Nodes: n, Bytes: 64 << 20} })
	entries["disk-full"] = entry{fault.DiskFull{Nodes: seeds, Spare: 4096}, []fault.Fault{fault.DiskFull{Nodes: most, Spare: 4096}}}
	entries["fd-hog"] = entry{
		of: fault.FDHog{From: peer, On: seed, Port: 65002, Connections: 100},
		over: []fault.Fault{
			fault.FDHog{From: peer, On: seed, Port: 65002, Connections: 100},
			fault.FDLimit{Nodes: most[1:]}, // others run out of them too
		},
	}
	for _, with := range []fault.NameFailure{fault.ServFail, fault.NXDomain, fault.NameSilent} {
		entries["dns-fail "+string(with)] = entry{
			fault.DNSFail{Nodes: peers, Of: seeds, With: with}, []fault.Fault{fault.DNSFail{Nodes: askers, With: with}},
		}
	}
	entries["dns-wrong"] = entry{
		fault.DNSWrong{Nodes: peers, Of: seeds, To: w.node("origin-1")},
		[]fault.Fault{fault.DNSWrong{Nodes: askers, Of: askers, To: w.node("origin-1")}},
	}
	entries["dns-wrong both"] = entry{
		fault.DNSWrong{Nodes: peers, Of: seeds[:1], To: w.node("origin-1"), Both: true},
		[]fault.Fault{fault.DNSWrong{Nodes: askers, Of: seeds[:1], To: w.node("origin-1")}},
	}
	entries["dns-slow"] = entry{
		fault.DNSSlow{Nodes: peers, By: 300 * time.Millisecond},
		[]fault.Fault{fault.DNSSlow{Nodes: askers, By: 300 * time.Millisecond}},
	}
	return entries
}

func clock() int64 { return time.Now().UnixMilli() }

// TestEveryFaultBitesAndHeals takes each fault through its whole life.
func TestEveryFaultBitesAndHeals(t *testing.T) {
	for name := range catalogue(newWorld()) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			i, err := fault.Inject(t.Context(), w, catalogue(w)[name].of, fault.NewBook("t"), clock)
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
			i, err := fault.Inject(t.Context(), w, fault.Noop{Of: catalogue(w)[name].of}, fault.NewBook("t"), clock)
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

// TestSpill lets each fault hit more than it should.
func TestSpill(t *testing.T) {
	for name := range catalogue(newWorld()) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			e := catalogue(w)[name]
			i, err := fault.Inject(t.Context(), w, fault.Spill{Of: e.of, Over: e.over}, fault.NewBook("t"), clock)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r := i.Record(); r.Receipt.Bites || !strings.Contains(r.Receipt.Doubt, "control") {
				t.Errorf("%s on more than it says: bites %v, doubt %q", name, r.Receipt.Bites, r.Receipt.Doubt)
			}
			if err := i.Heal(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if left := w.residue(); len(left) > 0 {
				t.Errorf("%s left %v", name, left)
			}
		})
	}
}

// TestHalfAFault leaves out what one direction or one part of a fault does.
func TestHalfAFault(t *testing.T) {
	for name, half := range map[string]func(w *world){
		"mtu ":               func(w *world) { w.deaf = "peer-1" }, // no rule in the client's namespace
		"unreachable killed": func(w *world) { w.immortal = true },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			half(w)
			i, err := fault.Inject(t.Context(), w, catalogue(w)[name].of, fault.NewBook("t"), clock)
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
		i, err := fault.Inject(t.Context(), w, catalogue(w)["fd-limit"].of, fault.NewBook("t"), clock)
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

// TestHealWithoutAgent loses the agent while a fault is in force: nobody can look whether
// it is gone, and that is known at once.
func TestHealWithoutAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		i, err := fault.Inject(t.Context(), w, catalogue(w)["delay downstream"].of, fault.NewBook("t"), clock)
		if err != nil {
			t.Fatal(err)
		}
		w.blind, w.fails = agent.ErrGone, func(what string) bool { return what == "look" }
		start := time.Now()
		if err := i.Heal(t.Context()); !errors.Is(err, agent.ErrGone) {
			t.Errorf("healed without an agent: %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %s to find out", took)
		}
	})
}

// TestGoneMeansWell heals a fault while its server is dead for another reason.
func TestGoneMeansWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		i, err := fault.Inject(t.Context(), w, catalogue(w)["delay downstream"].of, fault.NewBook("t"), clock)
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
	link, nodes := fault.Into(peer), []topology.Node{peer}
	for want, f := range map[string]fault.Fault{
		"no link of this bed":    fault.BlockPort{Links: fault.Into(peer).Port(1), How: fault.Dropped},
		"dropped or refused":     fault.BlockPort{Links: link, How: fault.Paused},
		"upstream or downstream": fault.Drop{Links: link, Direction: "sideways"},
		"use reset, or one of":   fault.Refuse{Links: link, With: "a smile"},
		"use 0.1 to 90 %":        fault.Loss{Links: link, Percent: 100},
		"no negative burst":      fault.Loss{Links: link, Percent: 1, Burst: -1},
		"from 1 to 200":          fault.DropList{Links: link, Packets: []int{0}},
		"no node given":          fault.Unreachable{How: fault.Dropped},
		"no node nobody":         fault.Pause{Nodes: []topology.Node{{Name: "nobody"}}},
		"killed":                 fault.Unreachable{Nodes: nodes, How: "gone"},
		"use 576 to 1499":        fault.MTU{Links: link, Bytes: 100},
		"gives a long answer":    fault.MTU{Links: fault.Into(peer).Port(65001), Bytes: 1200},
		"4000 to 5000000":        fault.Rate{Links: link, BytesPerSecond: 10},
		"fewer than two sets":    fault.Partition{Sets: [][]topology.Node{nodes}},
		"no two nodes are cut":   fault.Partition{Sets: [][]topology.Node{nodes, nodes}},
		"no UDP port":            fault.UDPBlock{Links: link},
		"use 1 to 65535":         fault.UDPBlock{Links: link, Ports: []int{70000}},
		"use 50ms at least":      fault.Delay{Links: link, By: time.Second, Jitter: time.Second},
		"use 1000 at least":      fault.Bandwidth{Links: link, BytesPerSecond: 10},
		"use 1 to 1024":          fault.Slice{Links: link, Bytes: 5000},
		"without a pause":        fault.Slice{Links: link, Bytes: 10},
		"by 0s: use 50ms":        fault.SlowClose{Links: link},
		"use 0 to 1048576":       fault.Reset{Links: link, After: -1},
		"use 1 to 1048576":       fault.LimitData{Links: link},
		"every 0 bytes":          fault.Garble{Links: link},
		"SERVFAIL, NXDOMAIN or":  fault.DNSFail{Nodes: nodes},
		"nothing is wrong":       fault.DNSWrong{Nodes: nodes, Of: nodes, To: peer},
		"for one name, not for":  fault.DNSWrong{Nodes: nodes, To: peer, Both: true},
		"by -1s":                 fault.DNSSlow{Nodes: nodes, By: -time.Second},
		"spare none or more":     fault.FDLimit{Nodes: nodes, Spare: -1},
		"use 10 to 20000":        fault.FDHog{From: w.node("peer-2"), On: peer, Port: 65002},
		"use 0.01 to 0.2":        fault.CPUStarve{Nodes: nodes},
		"use 6291456 at least":   fault.MemoryLimit{Nodes: nodes},
		"use 0 or more":          fault.DiskFull{Nodes: nodes, Spare: -1},
		"no disk of its own":     fault.DiskFull{Nodes: w.topo.Of(topology.Supernode)},
		"for 0s: must be":        fault.Once{Of: fault.Reset{Links: link}},
		"the duty between 0":     fault.Flap{Of: fault.Reset{Links: link}},
		"two or more":            fault.Ramp{Steps: []fault.Fault{fault.Reset{Links: link}}, Every: time.Second},
		"a timetable already":    fault.Once{Of: fault.Flap{Of: fault.Reset{Links: link}, Period: time.Second, Duty: 0.5}, For: time.Second},
		"use 1 to 1048576, down": fault.Stall{Links: link, After: 5, Direction: fault.Upstream},
		"after -1 bytes":         fault.Stall{Links: link, After: -1},
		"use 68 to 65535":        fault.Clamp{Nodes: nodes, Bytes: 10},
		"use one kind": fault.Ramp{Every: time.Second, Steps: []fault.Fault{
			fault.Reset{Links: link}, fault.Stall{Links: link},
		}},
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
		if _, err := inject(fault.Flap{Of: fault.Delay{Links: link, By: time.Second}, Period: time.Second, Duty: 0.5}); err == nil || !strings.Contains(err.Error(), "in force already") {
			t.Errorf("a second delay, that flaps: %v", err)
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

// TestAfterAKill puts faults in force while a node is dead, heals them in any order, and
// sees that one whose effect has gone with a node proves nothing.
func TestAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, book := newWorld(), fault.NewBook("t")
		seed, peer := []topology.Node{w.node("seed-1")}, w.node("peer-1")
		inject := func(f fault.Fault) *fault.Injection {
			t.Helper()
			i, err := fault.Inject(t.Context(), w, f, book, clock)
			if err != nil || !i.Record().Receipt.Bites {
				t.Fatalf("%s: %v, %q", f.Kind(), err, i.Record().Receipt.Doubt)
			}
			return i
		}
		heal := func(i *fault.Injection) {
			t.Helper()
			if err := i.Heal(t.Context()); err != nil {
				t.Error(err)
			}
		}
		kill := inject(fault.Kill{Nodes: seed})
		drop := inject(fault.Drop{Links: fault.Into(peer)}) // from the dead seed, too
		second := inject(fault.Kill{Nodes: []topology.Node{w.node("seed-2")}})
		heal(second)
		heal(drop)
		heal(kill)

		silent := inject(fault.Drop{Links: fault.Into(seed...)})
		paused := inject(fault.Pause{Nodes: []topology.Node{w.node("seed-2")}})
		heal(silent) // while another keeps some of the clients away
		heal(paused)

		clamp := inject(fault.Clamp{Nodes: seed, Bytes: 1200})
		heal(inject(fault.Kill{Nodes: seed}))
		book.Restarted("seed-1")
		heal(clamp)
		if r := clamp.Record(); !strings.Contains(r.Error, "seed-1 was started anew") {
			t.Errorf("a clamp that went with its node: error %q", r.Error)
		}
		if left := w.residue(); len(left) > 0 {
			t.Errorf("left %v", left)
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
			f := catalogue(w)[names[random.IntN(len(names))]].of
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
		{fault.Into(w.node("peer-1")).Port(fault.Range(65000, 65020)...), "*>peer-1:65000-65020", 15},
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
