package scenarios

import (
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// trial is a fault on little, and what does the same to more than it says.
type trial struct {
	of   fault.Fault
	over []fault.Fault
}

// onLinks aims a fault at one link, and at all of them.
func onLinks(bed *harness.Bed, f func(fault.Links) fault.Fault) trial {
	everybody := bed.Of(topology.Supernode, topology.Seed, topology.Peer, topology.Origin)
	return trial{f(fault.From(bed.Peers()[0]).To(bed.Seeds()[0]).Port(65002)), []fault.Fault{f(fault.Between(everybody, everybody))}}
}

// onNodes aims a fault at one seed, and at seeds and peers but for one peer.
func onNodes(bed *harness.Bed, f func([]topology.Node) fault.Fault) trial {
	return trial{f(bed.Seeds()[:1]), []fault.Fault{f(append(bed.Seeds(), bed.Peers()[:2]...))}}
}

// onSeeds aims a fault after which a node cannot look at others at one seed, and at both.
func onSeeds(bed *harness.Bed, f func([]topology.Node) fault.Fault) trial {
	return trial{f(bed.Seeds()[:1]), []fault.Fault{f(bed.Seeds())}}
}

// packetTrials are faults on packets.
func packetTrials(bed *harness.Bed) []trial {
	const some, rate = 10, 200_000
	peers, seeds := bed.Peers(), bed.Seeds()
	var all []trial
	add := func(f func(fault.Links) fault.Fault) { all = append(all, onLinks(bed, f)) }
	for _, d := range []fault.Direction{fault.Upstream, fault.Downstream} {
		add(func(l fault.Links) fault.Fault { return fault.Drop{Links: l, Direction: d} })
		add(func(l fault.Links) fault.Fault { return fault.Loss{Links: l, Percent: some, Direction: d} })
		add(func(l fault.Links) fault.Fault { return fault.Loss{Links: l, Percent: some, Burst: 3, Direction: d} })
		add(func(l fault.Links) fault.Fault {
			return fault.DropList{Links: l, Packets: []int{3, 4, 6, 9, 12, 15, 18, 20}, Direction: d}
		})
		add(func(l fault.Links) fault.Fault { return fault.Duplicate{Links: l, Direction: d} })
		add(func(l fault.Links) fault.Fault { return fault.Corrupt{Links: l, Percent: some, Direction: d} })
		add(func(l fault.Links) fault.Fault { return fault.MTU{Links: l, Bytes: pathMTU, Direction: d} })
		add(func(l fault.Links) fault.Fault { return fault.Rate{Links: l, BytesPerSecond: rate, Direction: d} })
	}
	return append(all,
		trial{
			fault.MTU{Links: fault.From(peers[0]).To(seeds[0]).Port(65002), Bytes: pathMTU, Direction: fault.Upstream, Tells: true},
			[]fault.Fault{fault.MTU{Links: fault.From(peers[0]).To(), Bytes: pathMTU, Direction: fault.Upstream, Tells: true}},
		},
		trial{
			fault.MTU{Links: fault.From(peers[0]).To(seeds[0]).Port(65002), Bytes: pathMTU, Direction: fault.Downstream, Tells: true},
			[]fault.Fault{fault.MTU{Links: fault.From(peers...).To(), Bytes: pathMTU, Direction: fault.Downstream, Tells: true}},
		},
		trial{
			fault.Partition{Sets: [][]topology.Node{peers[:1], seeds}},
			[]fault.Fault{fault.Partition{Sets: [][]topology.Node{peers, append(seeds, bed.Supernodes()...)}}},
		},
		trial{
			fault.Partition{Sets: [][]topology.Node{peers[:1], seeds}, OneWay: true},
			[]fault.Fault{fault.Partition{Sets: [][]topology.Node{peers, append(seeds, bed.Supernodes()...)}}},
		},
		onLinks(bed, func(l fault.Links) fault.Fault { return fault.UDPBlock{Links: l, Ports: []int{4006}} }),
		onNodes(bed, func(n []topology.Node) fault.Fault { return fault.Clamp{Nodes: n, Bytes: pathMTU} }),
	)
}

// refusalTrials are ways to answer in a server's place.
func refusalTrials(bed *harness.Bed) []trial {
	var all []trial
	for _, with := range []fault.Refusal{
		fault.ByReset, fault.NetUnreachable, fault.HostUnreachable, fault.NoProtocol, fault.NoPort,
		fault.NetProhibited, fault.HostProhibited, fault.FirewallProhibits,
	} {
		all = append(all, onLinks(bed, func(l fault.Links) fault.Fault { return fault.Refuse{Links: l, With: with} }))
	}
	return all
}

// streamTrials are faults on byte streams.
func streamTrials(bed *harness.Bed) []trial {
	const by, cut = 300 * time.Millisecond, 5000
	var all []trial
	add := func(f func(fault.Links) fault.Fault) { all = append(all, onLinks(bed, f)) }
	for _, d := range []fault.Direction{fault.Upstream, fault.Downstream} {
		add(func(l fault.Links) fault.Fault { return fault.Delay{Links: l, By: by, Jitter: by / 10, Direction: d} })
		add(func(l fault.Links) fault.Fault {
			return fault.Bandwidth{Links: l, BytesPerSecond: 50_000, Direction: d}
		})
		add(func(l fault.Links) fault.Fault {
			return fault.Slice{Links: l, Bytes: 100, Vary: 10, Pause: 10 * time.Millisecond, Direction: d}
		})
		add(func(l fault.Links) fault.Fault { return fault.Stall{Links: l, Direction: d} })
	}
	add(func(l fault.Links) fault.Fault { return fault.Slice{Links: l, Bytes: 1, Direction: fault.Downstream} })
	add(func(l fault.Links) fault.Fault { return fault.SlowClose{Links: l, By: by} })
	add(func(l fault.Links) fault.Fault { return fault.Reset{Links: l} })
	add(func(l fault.Links) fault.Fault { return fault.Reset{Links: l, After: cut} })
	add(func(l fault.Links) fault.Fault { return fault.Stall{Links: l, After: cut} })
	add(func(l fault.Links) fault.Fault { return fault.LimitData{Links: l, After: cut} })
	add(func(l fault.Links) fault.Fault { return fault.HalfOpen{Links: l} })
	// A garbled list of peers would send nodes to addresses that no link leads to.
	add(func(l fault.Links) fault.Fault { return fault.Garble{Links: l.Port(65002), Every: 1000} })
	add(func(l fault.Links) fault.Fault {
		return fault.Flap{Of: fault.Stall{Links: l}, Period: time.Second, Duty: 0.5}
	})
	add(func(l fault.Links) fault.Fault { return fault.Once{Of: fault.Reset{Links: l}, For: time.Second} })
	add(func(l fault.Links) fault.Fault {
		return fault.Ramp{Every: time.Second, Steps: []fault.Fault{fault.Delay{Links: l, By: by}, fault.Delay{Links: l, By: 2 * by}}}
	})
	return all
}

// nameTrials are faults on what peers ask a resolver.
func nameTrials(bed *harness.Bed) []trial {
	everybody := append(append(bed.Supernodes(), bed.Seeds()...), bed.Peers()...)
	peer, seed, wrong := bed.Peers()[:1], bed.Seeds()[:1], bed.Origin()
	var all []trial
	for _, with := range []fault.NameFailure{fault.ServFail, fault.NXDomain, fault.NameSilent} {
		all = append(all, trial{
			fault.DNSFail{Nodes: peer, Of: seed, With: with}, []fault.Fault{fault.DNSFail{Nodes: everybody, With: with}},
		})
	}
	return append(all,
		trial{
			fault.DNSWrong{Nodes: peer, Of: seed, To: wrong}, // Not of supernodes: their names are followed, to where no link leads.
			[]fault.Fault{fault.DNSWrong{Nodes: everybody, Of: append(bed.Seeds(), bed.Peers()...), To: wrong}},
		},
		trial{
			fault.DNSSlow{Nodes: peer, By: 300 * time.Millisecond}, []fault.Fault{fault.DNSSlow{Nodes: everybody, By: 300 * time.Millisecond}},
		},
	)
}

// diskSize is what each peer and seed of these trials has for pieces, in bytes.
const diskSize = 32 << 20

// processTrials are faults on processes and what they live on.
func processTrials(bed *harness.Bed) []trial {
	add := func(f func([]topology.Node) fault.Fault) trial { return onNodes(bed, f) }
	hog := fault.FDHog{From: bed.Peers()[0], On: bed.Seeds()[0], Port: 65002, Connections: 200}
	return []trial{
		onSeeds(bed, func(n []topology.Node) fault.Fault { return fault.Pause{Nodes: n} }),
		onSeeds(bed, func(n []topology.Node) fault.Fault { return fault.Kill{Nodes: n} }),
		onSeeds(bed, func(n []topology.Node) fault.Fault { return fault.Stop{Nodes: n} }),
		onSeeds(bed, func(n []topology.Node) fault.Fault { return fault.Restart{Nodes: n} }),
		onSeeds(bed, func(n []topology.Node) fault.Fault { return fault.FDLimit{Nodes: n} }),
		add(func(n []topology.Node) fault.Fault { return fault.CPUStarve{Nodes: n, CPUs: 0.02} }),
		add(func(n []topology.Node) fault.Fault { return fault.MemoryLimit{Nodes: n, Bytes: 128 << 20} }),
		add(func(n []topology.Node) fault.Fault { return fault.DiskFull{Nodes: n, Spare: 64 << 10} }),
		{hog, []fault.Fault{hog, fault.FDLimit{Nodes: append(bed.Seeds()[1:], bed.Peers()...)}}},
	}
}
