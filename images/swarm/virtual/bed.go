// Package virtual is the reference swarm in one process, on a network in memory and
// in virtual time: supernodes, seeds, peers, dfget and an origin run as they are, their
// timers too, and a story of minutes takes milliseconds.
//
//	virtual.Run(t, timers.Production, func(b *virtual.Bed) {
//		b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed"}})
//		b.Peer(virtual.Node{Name: "seed", Seed: true})
//		...
//	})
//
// Only what the clock decides is faithful here: work takes no time, and what happens
// at one moment happens in no certain order. For that reason no two links have the
// same latency.
package virtual

import (
	"context"
	"fmt"
	"hash/fnv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// Stable is the release of nodes that name none.
const Stable = "2.2.1"

// The ports of a deployment.
const (
	SupernodePort       = 8002
	supernodeStatusPort = 8003
	GRPCPort            = 65000
	ProxyPort           = 65001
	PiecePort           = 65002
	statusPort          = 65003
	originPort          = 8080
)

// Bed is one swarm.
type Bed struct {
	*testing.T
	Net     *memnet.Network
	Timers  timers.Profile
	Origin  *Origin
	Journal *Journal

	ctx   context.Context   //nolint:containedctx // the life of the bed
	names map[string]string // of hosts by address
}

// Run tells a story in a bubble of its own. When it ends, so do all nodes; a goroutine
// that stays behind fails the test.
func Run(t *testing.T, profile timers.Profile, story func(*Bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &Bed{T: t, Net: memnet.New(), Timers: profile, Journal: newJournal(), ctx: context.Background(), names: map[string]string{}}
		b.Net.Latency, b.Net.Rate = latency, rate
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("journal of all nodes:\n%s", b.Journal)
			}
		})
		b.Origin = startOrigin(b)
		story(b)
	})
}

// rate keeps a file of 1 MiB under way for longer than the gap between two announcements.
const rate = 8 << 20

// latency is between 100 and 355 microseconds, and another one for nearly each pair.
func latency(from, to string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(from + ">" + to))
	return time.Duration(100+h.Sum32()%256) * time.Microsecond
}

// Machine adds a host on which a node can be started.
func (b *Bed) Machine(name string) *memnet.Host {
	ip := fmt.Sprintf("10.0.%d.%d", len(b.names)/250, 1+len(b.names)%250)
	b.names[ip] = name
	return b.Net.Host(name, ip)
}

// Pass lets time pass.
func (b *Bed) Pass(d time.Duration) {
	b.Helper()
	<-time.After(d)
}

// Until waits for something that can be seen, and says what it saw last if that does
// not come within the limit.
func (b *Bed) Until(what string, within time.Duration, observe func() (seen any, ok bool)) {
	b.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		seen, ok := observe()
		if ok {
			return
		}
		select {
		case <-deadline:
			b.Fatalf("%s: not within %s, last seen: %+v", what, within, seen)
		case <-tick.C:
		}
	}
}

// glance is how often Until looks.
const glance = 5 * time.Millisecond

// program is one running node.
type program struct {
	Machine *memnet.Host
	b       *Bed
	stop    context.CancelFunc
	done    chan struct{}
	err     error
}

// start runs a program until it is stopped, at the latest with the bed.
func (b *Bed) start(host *memnet.Host, run func(context.Context) error) *program {
	ctx, stop := context.WithCancel(b.ctx)
	p := &program{Machine: host, b: b, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = run(ctx)
	}()
	b.Cleanup(p.Stop)
	return p
}

// Stop stops the program as SIGTERM does, and waits for its end.
func (p *program) Stop() {
	p.stop()
	<-p.done
	if p.err != nil {
		p.b.Errorf("a node ended with %v", p.err)
	}
}

// Die switches the node's machine off: nobody is told. The program's own end takes place
// behind the curtain.
func (p *program) Die() {
	p.Machine.PowerOff()
	p.Stop()
}
