// Package fault breaks the network of a bed on purpose, and proves that it did.
//
// A fault is a struct literal: an effect on Links or nodes. It turns itself into a
// Plan against a Target; Inject takes the plan through one lifecycle, the same for
// all: probe, apply, confirm that it bites, hold, heal, confirm that it is gone.
// Nothing here knows how containers run: the Target says where a link's packets
// arrive and how to act there.
//
//	f := fault.Drop{Links: fault.Into(peer).Port(65002)}
package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/history"
)

// Fault is one disturbance as data.
type Fault interface {
	// Kind names the effect: "drop".
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
	// Mechanism names what does it, for the receipt: "nftables drop".
	Mechanism string
	// Needs are capabilities of the kernel that it takes, see Target.Lacks.
	Needs []string

	// Affected are the links that the fault may change: no control is taken from them.
	Affected []Edge
	// Nodes are those that the fault is on, if it is not on links. Lives are those in whose
	// process or network namespace the effect is, and with which it goes; Ends are those
	// that do not run while it is in force.
	Nodes, Lives, Ends []string
	// Edges are the links on which the fault must be seen, and Asks what to ask on each;
	// nil is one short question.
	Edges []Edge
	Asks  []Ask
	looks []Look // in place of both
	// Bites returns nil if what is seen on a link that answered before shows the fault,
	// else why not. May be nil if Proven is not.
	Bites func(Sight) error
	// Most says that it is enough if more than half of the links show the fault.
	Most bool
	// Beside are controls to look at in place of links near the fault.
	Beside []Look
	// Untouched returns nil if a control shows nothing of the fault. Nil is the rule: it
	// must answer as before, and must not satisfy Bites.
	Untouched func(Sight) error
	// Still are links that must go on answering: what tells this fault from a stronger one.
	Still []Look

	// Counters reads figures from kernels and processes; Proven returns nil if they
	// show the fault. Both may be nil.
	Counters func(context.Context) (map[string]uint64, error)
	Proven   func(before, during map[string]uint64) error
	// Lasts says that the figures stay after healing: of what has happened and is over.
	Lasts bool
	// Spared reads figures of what the fault must not change. May be nil.
	Spared func(context.Context) (map[string]uint64, error)

	// patience is after how long to take a doubt for the last word; 0 is confirmWithin.
	patience time.Duration
	// Insist, if not nil, is called while the fault does not bite yet, for faults whose
	// target moves. What Apply's Undo does must undo it too.
	Insist func(context.Context) error
	// Hold, if not nil, runs from the moment that the fault is confirmed until it is
	// healed, for faults that change over time; note tells when they did.
	Hold func(ctx context.Context, note func(phase string)) error
}

// Ask is what a probe asks over a link.
type Ask struct {
	Pad     int           // bytes that the request carries along
	Bulk    int           // bytes that the answer should have at least; 0 for a short one
	Close   bool          // wait for the server to close the connection after its answer (HTTP only)
	Silence time.Duration // no answer for so long, while the fault is on, is silence; 0 for DefaultSilence

	// Name, in place of the link's own question, asks the client's resolver for this
	// name. UDP sends a datagram to this port of the server: one that nobody listens on
	// is answered by the server's kernel.
	Name string
	UDP  int
}

// Look is one probe to be made.
type Look struct {
	Edge    Edge
	Ask     Ask
	Timeout time.Duration
}

// Sight is one link before the fault and now.
type Sight struct {
	Ask            Ask
	Before, During history.Reading
}

// ErrUnavailable says that this kernel, engine or bed cannot do a fault. A scenario
// with it does not apply.
var ErrUnavailable = errors.New("cannot be injected here")

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

// Direction of packets or bytes on a directed link.
type Direction string

// The directions. Both is the zero value.
const (
	Both       Direction = ""
	Upstream   Direction = "upstream"   // from client to server
	Downstream Direction = "downstream" // from server to client
)

// up and down say whether a direction has that half.
func (d Direction) up() bool   { return d != Downstream }
func (d Direction) down() bool { return d != Upstream }

// check refuses what is no direction.
func (d Direction) check() error {
	if d != Both && d != Upstream && d != Downstream {
		return fmt.Errorf("direction %q: use upstream or downstream, or none for both", string(d))
	}
	return nil
}

// in puts a direction behind what a target says.
func (d Direction) in(words string) string {
	if d == Both {
		return words
	}
	return words + " " + string(d)
}

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

// nothing is the undo of what did nothing.
func nothing(context.Context) error { return nil }

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
