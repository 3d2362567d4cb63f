package explore

import (
	"math/rand/v2"
	"time"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// place is what a kind of fault is on.
type place int

const (
	onLinks place = iota
	onNodes
	onNames
	onSets // two sets of nodes, cut from each other
)

// kind is a row of the table: one sort of trouble that a real network makes.
type kind struct {
	name string
	on   place
	// blocks says that nothing can be counted on to come over a way that it is on.
	blocks bool
	// early says that it can be seen on nodes that do not listen yet: it may be there from
	// the first packet.
	early bool
	// ports are those that can show it, all if nil: what is lost or slow by the byte wants
	// answers as long as are asked for.
	ports []int
	make  func(r *rand.Rand, a sight) fault.Fault
}

// sight is an aim with its nodes and links.
type sight struct {
	links            fault.Links
	clients, servers []topology.Node
}

var (
	bulky = []int{uploadPort, originPort}                          // answer as much as they are asked for
	long  = []int{supernodePort, grpcPort, uploadPort, originPort} // answer more than a packet
)

// kinds is the table. Its order is part of what a seed means: add at the end.
var kinds = []kind{
	{"drop", onLinks, true, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Drop{Links: a.links, Direction: direction(r)}
	}},
	{"refuse", onLinks, true, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Refuse{Links: a.links, With: pick(r, fault.ByReset, fault.HostUnreachable, fault.FirewallProhibits)}
	}},
	{"flap-drop", onLinks, true, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return flapping(r, fault.Drop{Links: a.links})
	}},
	{"flap-refuse", onLinks, true, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return flapping(r, fault.Refuse{Links: a.links})
	}},
	{"stall", onLinks, true, false, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Stall{Links: a.links, Direction: direction(r)}
	}},
	{"half-open", onLinks, true, false, nil, func(_ *rand.Rand, a sight) fault.Fault {
		return fault.HalfOpen{Links: a.links}
	}},
	{"reset", onLinks, true, false, nil, func(_ *rand.Rand, a sight) fault.Fault {
		return fault.Reset{Links: a.links}
	}},
	{"mtu", onLinks, true, false, long, func(r *rand.Rand, a sight) fault.Fault {
		return fault.MTU{Links: a.links, Bytes: pick(r, 1280, 1380, 1420), Direction: direction(r)} // IPv6's least, PPP in tunnels, WireGuard
	}},
	{"loss", onLinks, true, false, bulky, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Loss{Links: a.links, Percent: float64(1 + r.IntN(10)), Burst: pick(r, 0, 3), Direction: direction(r)}
	}},
	{"corrupt", onLinks, true, false, bulky, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Corrupt{Links: a.links, Percent: float64(1 + r.IntN(5)), Direction: direction(r)}
	}},
	{"duplicate", onLinks, false, false, bulky, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Duplicate{Links: a.links, Direction: pick(r, fault.Upstream, fault.Downstream)}
	}},
	{"delay", onLinks, false, false, nil, func(r *rand.Rand, a sight) fault.Fault {
		by := time.Duration(2+r.IntN(3)) * 100 * time.Millisecond // other continents
		return fault.Delay{Links: a.links, By: by, Jitter: by / 10, Direction: direction(r)}
	}},
	{"bandwidth", onLinks, true, false, bulky, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Bandwidth{Links: a.links, BytesPerSecond: pick[int64](r, 50_000, 200_000, 1_000_000), Direction: fault.Downstream}
	}},
	{"rate", onLinks, true, false, bulky, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Rate{Links: a.links, BytesPerSecond: pick[int64](r, 100_000, 500_000, 2_000_000), Direction: fault.Downstream}
	}},
	{"slice", onLinks, true, false, bulky, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Slice{Links: a.links, Bytes: pick(r, 200, 500, 1000), Vary: 20, Pause: time.Duration(2+r.IntN(9)) * time.Millisecond, Direction: fault.Downstream}
	}},
	{dropped, onNodes, true, true, nil, func(_ *rand.Rand, a sight) fault.Fault {
		return fault.Unreachable{Nodes: a.servers, How: fault.Dropped}
	}},
	{"refused", onNodes, true, true, nil, func(_ *rand.Rand, a sight) fault.Fault {
		return fault.Unreachable{Nodes: a.servers, How: fault.Refused}
	}},
	{"paused", onNodes, true, false, nil, func(_ *rand.Rand, a sight) fault.Fault {
		return fault.Unreachable{Nodes: a.servers, How: fault.Paused}
	}},
	{killed, onNodes, true, true, nil, func(_ *rand.Rand, a sight) fault.Fault {
		return fault.Unreachable{Nodes: a.servers, How: fault.Killed}
	}},
	{"fd-limit", onNodes, true, false, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.FDLimit{Nodes: a.servers, Spare: r.IntN(4)}
	}},
	{"dns-fail", onNames, true, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.DNSFail{Nodes: a.clients, Of: a.servers, With: pick(r, fault.ServFail, fault.NXDomain, fault.NameSilent)}
	}},
	{"dns-slow", onNames, false, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.DNSSlow{Nodes: a.clients, Of: a.servers, By: time.Duration(2+r.IntN(4)) * 100 * time.Millisecond}
	}},
	{"partition", onSets, true, true, nil, func(r *rand.Rand, a sight) fault.Fault {
		return fault.Partition{Sets: [][]topology.Node{a.clients, a.servers}, OneWay: r.IntN(3) == 0}
	}},
}

// Kinds that rules name.
const (
	dropped = "dropped"
	killed  = "killed"
)

func kindOf(name string) kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	return kind{}
}

func direction(r *rand.Rand) fault.Direction {
	return pick(r, fault.Both, fault.Both, fault.Upstream, fault.Downstream)
}

func flapping(r *rand.Rand, of fault.Fault) fault.Fault {
	return fault.Flap{Of: of, Period: time.Duration(1+r.IntN(3)) * time.Second, Duty: pick(r, 0.3, 0.5, 0.6)}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
