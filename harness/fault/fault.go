// Package fault breaks the network of a bed on purpose, and proves that it did.
//
// A fault is a struct literal: an effect on Links or nodes. It turns itself into a
// Plan against a Target; Inject takes the plan through one lifecycle, the same for
// all: probe, apply, confirm that it bites, hold, heal, confirm that it is gone.
// Nothing here knows how containers run: the Target says where a link's packets
// arrive and how to act there.
//
//	f := fault.BlockPort{Links: fault.Into(peer).Port(65002), How: fault.Dropped}
package fault

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Fault is one disturbance as data.
type Fault interface {
	// Kind names the effect: "block-port".
	Kind() string
	// Target says in words what it is aimed at.
	Target() string
	// Plan says what to do to t, and how to tell that it was done. It changes nothing.
	// id is unique among the injections of a bed: [a-z0-9-].
	Plan(t Target, id string) (Plan, error)
}

// Undo removes exactly what an Apply added. It may be called twice.
type Undo func(context.Context) error

// Plan is a fault aimed at a target.
type Plan struct {
	// Apply puts the fault in force. Undo is never nil, also with an error: what was
	// half done can be undone.
	Apply func(context.Context) (Undo, error)
	// Affected are the links that the fault may change: no control is taken from them.
	Affected []Edge
	// Edges are the links on which the fault must be seen, and Asks what to ask on each;
	// nil is one short question.
	Edges []Edge
	Asks  []Ask
	// Bites returns nil if during, seen on a link that answered before, shows the
	// fault, else why not. The control links must not satisfy it. May be nil if Proven is not.
	Bites func(before, during history.Reading) error
	// Most says that it is enough if more than half of the links show the fault.
	Most bool
	// Still are links that must go on answering: what tells this fault from a stronger one.
	Still []Look
	// Counters reads figures from kernels and processes; Proven returns nil if they
	// show the fault. Both may be nil.
	Counters func(context.Context) (map[string]uint64, error)
	Proven   func(before, during map[string]uint64) error
	// Insist, if not nil, is called while the fault does not bite yet, for faults whose
	// target moves. What Apply's Undo does must undo it too.
	Insist func(context.Context) error
	// Hold, if not nil, runs from the moment that the fault is confirmed until it is
	// healed, for faults that change over time.
	Hold func(context.Context) error
}

// Ask is what a probe asks over a link.
type Ask struct {
	Pad     int           // bytes that the request carries along
	Bulk    int           // bytes that the answer should have at least; 0 for a short one
	Silence time.Duration // no answer for so long, while the fault is on, is silence; 0 for DefaultSilence
}

// Look is one probe to be made.
type Look struct {
	Edge    Edge
	Ask     Ask
	Timeout time.Duration
}

// Target is the part of a bed that faults act on. Containers are named by node name
// towards the target and by id towards the agent.
type Target interface {
	// Edges lists every directed link of the bed.
	Edges() []Edge
	// Listener is where the link's packets towards the server arrive: the proxy's
	// container and the listener's port there.
	Listener(Edge) (container string, port uint16)
	// Destination is what the client dials.
	Destination(Edge) netip.AddrPort
	// Bulk says whether the link's server can be asked for a long answer.
	Bulk(Edge) bool
	// Container is the id of a node's container.
	Container(node string) string
	// Look probes links from their clients' namespaces, in parallel.
	Look(context.Context, []Look) ([]history.Reading, error)
	Kernel() Kernel
	Streams() Streams
	Processes() Processes
}

// Kernel is what faults need of the agent in the containers' namespaces.
type Kernel interface {
	AddRules(ctx context.Context, owner string, rules []agent.Rule) error
	RemoveRules(ctx context.Context, owner string) error
	Counters(ctx context.Context, owner string) ([]agent.Count, error)
	Offload(ctx context.Context, owner string, containers []string) error
	RestoreOffload(ctx context.Context, owner string) error
	SetMTU(ctx context.Context, container string, mtu int) (previous int, err error)
	Facts(ctx context.Context, container string) (agent.Facts, error)
	Descriptors(ctx context.Context, container string) (agent.Descriptors, error)
	LimitDescriptors(ctx context.Context, container string, soft uint64) (previous uint64, err error)
}

// Streams is what faults need of toxiproxy.
type Streams interface {
	Add(ctx context.Context, link, name string, t toxic.Toxic) error
	Remove(ctx context.Context, link, name string) error
}

// Processes is what faults need of the containers' life.
type Processes interface {
	Pause(ctx context.Context, node string) error
	Unpause(ctx context.Context, node string) error
	Kill(ctx context.Context, node string) error
	// Start starts a killed node again and lets it through its gate.
	Start(ctx context.Context, node string) error
	// Runs says whether the node's first process lives.
	Runs(ctx context.Context, node string) (bool, error)
}

// How says what becomes of packets that do not pass. A scenario always names it: a
// swarm that is told "refused" and one that hears nothing behave differently by
// seconds.
type How string

// The ways of not answering.
const (
	Dropped How = "dropped" // silence in both directions, open connections too
	Refused How = "refused" // a reset for every packet towards the server
	Paused  How = "paused"  // the process is frozen: its kernel accepts, nobody answers
	Killed  How = "killed"  // SIGKILL; started again when healed
)

// selected returns the edges of links in t, or an error if there are none: a fault on
// nothing would be a silent no-op.
func selected(t Target, links Links) ([]Edge, error) {
	edges := links.In(t.Edges())
	if len(edges) == 0 {
		return nil, fmt.Errorf("no link of this bed matches %q", links)
	}
	return edges, nil
}

// once makes an undo harmless after it succeeded.
func once(undo Undo) Undo {
	var mu sync.Mutex
	done := false
	return func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return nil
		}
		err := undo(ctx)
		done = err == nil
		return err
	}
}

// stack collects undos and runs them last first, all of them.
type stack []Undo

func (s *stack) push(u Undo) { *s = append(*s, u) }

func (s *stack) undo(ctx context.Context) error {
	var errs []error
	for _, u := range slices.Backward(*s) {
		errs = append(errs, u(ctx))
	}
	return errors.Join(errs...)
}
