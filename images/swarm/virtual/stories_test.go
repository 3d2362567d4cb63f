package virtual_test

import (
	"net/http"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/virtual"
)

// story is one fault and what comes of it. It knows no durations but those of the
// profile: a fault lasts as many leases, and a link is as slow, as that profile's
// timers make it matter. So the same story is told under each.
type story struct {
	name       string
	supernodes []string // of which the peers know; nil is one
	// racing is a node that is not compared: what it decides hangs on which of two
	// others reaches it first.
	racing string
	tell   func(*virtual.Bed, *cast)
}

// cast is who takes part: a supernode with two seeds, and two peers; all have joined.
// Some stories have a second supernode, with which they are as well.
type cast struct {
	supernode    *virtual.Supernode
	second       *virtual.Supernode
	seed1, seed2 *virtual.Peer
	peer1, peer2 *virtual.Peer
}

func assemble(b *virtual.Bed, supernodes ...string) *cast {
	c := &cast{supernode: b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed-1", "seed-2"}})}
	if len(supernodes) > 1 {
		c.second = b.Supernode(virtual.Node{Name: supernodes[1], Seeds: []string{"seed-1", "seed-2"}})
	}
	join := func(n virtual.Node, count int) *virtual.Peer {
		n.Supernodes = supernodes
		p := b.Peer(n)
		c.supernode.Counts(count, b.Timers.RejoinWithin())
		if c.second != nil {
			c.second.Counts(count, b.Timers.RejoinWithin())
		}
		return p
	}
	c.seed1 = join(virtual.Node{Name: "seed-1", Seed: true}, 1)
	c.seed2 = join(virtual.Node{Name: "seed-2", Seed: true}, 2)
	c.peer1 = join(virtual.Node{Name: "peer-1"}, 3)
	c.peer2 = join(virtual.Node{Name: "peer-2"}, 4)
	b.Pass(2 * b.Timers.CheckInterval)
	return c
}

// rejoined waits until all are back, know it, and have told what they hold.
func rejoined(b *virtual.Bed, s *virtual.Supernode) {
	s.Counts(4, b.Timers.RejoinWithin())
	b.Pass(b.Timers.RetryInitial)
}

// unhurried makes the origin so slow that a file takes that long.
func unhurried(b *virtual.Bed, file fixtures.File, d time.Duration) {
	b.Net.Inject(memnet.Slow{Links: memnet.To("origin", 0), Rate: file.Size * int64(time.Second) / int64(d)})
}

// during keeps a fault in force for a time.
func during(b *virtual.Bed, d time.Duration, f memnet.Fault) {
	heal := b.Net.Inject(f)
	b.Pass(d)
	heal()
}

var stories = []story{
	{"supernode silent, then back", nil, "", func(b *virtual.Bed, c *cast) {
		heal := b.Net.Inject(memnet.Drop{Links: memnet.Around("supernode")})
		b.Pass(3 * b.Timers.Lease)
		c.peer1.MustGet(fixtures.Layer1M)
		heal()
		rejoined(b, c.supernode)
		c.peer2.MustGet(fixtures.Layer1M)
	}},
	{"supernode silent for half a lease", nil, "", func(b *virtual.Bed, c *cast) {
		// Its own calls go on: how many of them a fault spoils depends on their pace alone.
		during(b, b.Timers.Lease/2, memnet.Drop{Links: memnet.To("supernode", virtual.SupernodePort)})
		b.Pass(b.Timers.RejoinWithin())
		c.supernode.Counts(4, 0)
	}},
	{"supernode refuses, then takes", nil, "", func(b *virtual.Bed, c *cast) {
		links := memnet.To("supernode", virtual.SupernodePort)
		heal := b.Net.Inject(memnet.Refuse{Links: links})
		b.Net.Inject(memnet.Reset{Links: links})()
		b.Pass(3 * b.Timers.Lease)
		heal()
		rejoined(b, c.supernode)
	}},
	{"supernode dies and starts anew", nil, "", func(b *virtual.Bed, c *cast) {
		c.supernode.Die()
		b.Pass(3 * b.Timers.Lease)
		c.supernode.Machine.PowerOn()
		again := b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed-1", "seed-2"}, On: c.supernode.Machine})
		rejoined(b, again)
		c.peer2.MustGet(fixtures.Layer1M)
	}},
	{"supernode's name moves", nil, "", func(b *virtual.Bed, c *cast) {
		c.supernode.Die()
		elsewhere := b.Machine("supernode-2")
		b.Net.Name("supernode", elsewhere.IP())
		moved := b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed-1", "seed-2"}, On: elsewhere})
		rejoined(b, moved)
		c.peer2.MustGet(fixtures.Layer1M)
	}},
	{"supernode's name is unknown for a while", nil, "", func(b *virtual.Bed, c *cast) {
		ip := c.supernode.Machine.IP()
		b.Net.Name("supernode")
		b.Net.Inject(memnet.Reset{Links: memnet.To("supernode", virtual.SupernodePort)})()
		b.Pass(3 * b.Timers.Lease)
		b.Net.Name("supernode", ip)
		rejoined(b, c.supernode)
	}},
	{"peer's gRPC port dropped", nil, "", func(b *virtual.Bed, c *cast) {
		during(b, 3*b.Timers.DropWithin(), memnet.Drop{Links: memnet.To("peer-1", virtual.GRPCPort)})
		rejoined(b, c.supernode)
	}},
	{"peer's proxy port dropped", nil, "", func(b *virtual.Bed, c *cast) {
		during(b, b.Timers.NoticeWithin(), memnet.Drop{Links: memnet.To("peer-1", virtual.ProxyPort)})
		b.Pass(b.Timers.NoticeWithin())
		c.supernode.Counts(4, 0)
	}},
	{"primary seed refuses", nil, "", func(b *virtual.Bed, c *cast) {
		b.Net.Inject(memnet.Refuse{Links: []memnet.Link{{Client: "supernode", Server: "seed-1", Port: virtual.GRPCPort}}})
		c.peer1.MustGet(fixtures.Layer1M)
	}},
	{"primary seed is silent", nil, "", func(b *virtual.Bed, c *cast) {
		b.Net.Inject(memnet.Drop{Links: []memnet.Link{{Client: "supernode", Server: "seed-1", Port: virtual.GRPCPort}}})
		c.peer1.MustGet(fixtures.Layer1M)
		b.Pass(b.Timers.DropWithin())
	}},
	{"primary seed dies in mid-download", nil, "", func(b *virtual.Bed, c *cast) {
		unhurried(b, fixtures.Layer4M, 4*b.Timers.StallTimeout)
		wait := c.peer1.Begin(fixtures.Layer4M)
		c.peer1.Holds(2, b.Timers.FallbackWithin()) // few: the next seed begins from the start
		c.seed1.Die()
		if r := wait(); !r.OK {
			b.Errorf("%+v", r)
		}
		c.supernode.Counts(3, b.Timers.DropWithin())
	}},
	{"parent resets", nil, "", func(b *virtual.Bed, c *cast) {
		b.Net.Inject(memnet.Reset{Links: []memnet.Link{{Client: "peer-1", Server: "seed-1", Port: virtual.PiecePort}}})
		c.peer1.MustGet(fixtures.Layer1M)
	}},
	{"parent's piece port silent", nil, "", func(b *virtual.Bed, c *cast) {
		b.Net.Inject(memnet.Drop{Links: []memnet.Link{{Client: "peer-1", Server: "seed-1", Port: virtual.PiecePort}}})
		c.peer1.MustGet(fixtures.Layer1M)
	}},
	{"version refused", nil, "", func(b *virtual.Bed, _ *cast) {
		b.Peer(virtual.Node{Name: "future", Release: "3.0.0"}).MustGet(fixtures.Layer1M)
		b.Pass(3 * b.Timers.RefusedRetry)
	}},
	{"origin fails for a while", nil, "", func(b *virtual.Bed, c *cast) {
		b.Origin.Answer(http.StatusServiceUnavailable)
		wait := c.peer1.Begin(fixtures.Layer1M)
		b.Pass(2 * b.Timers.RetryInitial)
		b.Origin.Answer(0)
		if r := wait(); !r.OK {
			b.Errorf("%+v", r)
		}
	}},
	{"origin has no such file", nil, "", func(b *virtual.Bed, c *cast) {
		b.Origin.Answer(http.StatusNotFound)
		if r := c.peer1.Get(fixtures.Layer1M); r.OK {
			b.Errorf("%+v", r)
		}
	}},
	{"no seed is left", nil, "", func(_ *virtual.Bed, c *cast) {
		c.seed1.Stop()
		c.seed2.Stop()
		c.peer1.MustGet(fixtures.Layer1M)
		c.peer2.MustGet(fixtures.Layer1M)
	}},
	{"supernode's name moves while the old one lives", nil, "", func(b *virtual.Bed, _ *cast) {
		elsewhere := b.Machine("supernode-2")
		moved := b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed-1", "seed-2"}, On: elsewhere})
		b.Net.Name("supernode", elsewhere.IP())
		moved.Counts(4, b.Timers.ResolveInterval+b.Timers.RejoinWithin())
		b.Pass(b.Timers.RetryInitial)
	}},
	// The child and the seed each turn to the next owner when their own lease runs out; if
	// the child is first there, that owner triggers the seed, which is at it anyway.
	{"owner of a task falls silent in mid-download", []string{"supernode", "second"}, "second", func(b *virtual.Bed, c *cast) {
		unhurried(b, fixtures.Layer4M, 3*b.Timers.Lease)
		wait := c.peer1.Begin(fixtures.Layer4M)
		c.peer1.Holds(2, b.Timers.Lease)
		b.Net.Inject(memnet.Drop{Links: memnet.Around(b.Owner("peer-1", fixtures.Layer4M))})
		if r := wait(); !r.OK {
			b.Errorf("%+v", r)
		}
		b.Pass(2 * b.Timers.Lease)
		c.peer2.MustGet(fixtures.Layer4M)
	}},
	{"one of two supernodes refuses", []string{"supernode", "second"}, "", func(b *virtual.Bed, c *cast) {
		links := memnet.To("second", virtual.SupernodePort)
		heal := b.Net.Inject(memnet.Refuse{Links: links})
		b.Net.Inject(memnet.Reset{Links: links})()
		b.Pass(2 * b.Timers.Lease)
		c.peer1.MustGet(fixtures.Layer1M)
		heal()
		c.second.Counts(4, b.Timers.RejoinWithin())
		b.Pass(b.Timers.RetryInitial)
	}},
}
