// Package explore draws plans of trouble: a topology, faults on it, and the order in which
// downloads begin, faults come and faults go. A plan is plain data and nothing but a
// function of its seed and its number. It runs nothing; scenarios/explore.go does.
//
//	plan := explore.Draw(42, 3)
//	fmt.Fprint(w, plan.Literal()) // as a scenario that can be kept
package explore

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// Plan is one scenario to be. After its steps every supernode must count every seed and
// peer again, and every peer must get a file that nobody has.
type Plan struct {
	Seed      int64
	Number    int // from 1
	Topology  topology.Topology
	Faults    []Fault
	Downloads []Download
	Steps     []Step
}

// Fault is a fault of a kind of the table, what it is aimed at, and the two in one: what is
// injected.
type Fault struct {
	Kind string
	Aim  Aim
	Of   fault.Fault
}

// Aim names what a fault is on: links from clients to ports of servers, the nodes of
// servers, the names of servers that clients ask for, or clients on one side of a cut and
// servers on the other, as the kind has it.
type Aim struct {
	Clients, Servers []string
	Ports            []int // of links; all if none
}

// Download is a file of the fixtures, by name, on a peer.
type Download struct{ Peer, File string }

// Verb is what a step does.
type Verb string

// The verbs, each with the field of Step that it goes by.
const (
	Inject  Verb = "inject"  // Fault
	Open    Verb = "open"    // lets all nodes start, and waits for all but Spared
	Begin   Verb = "begin"   // Download
	Halfway Verb = "halfway" // Download: waits until more than Well of it is there
	Finish  Verb = "finish"  // Download: waits for its end, and it must be intact
	Heal    Verb = "heal"    // Fault
)

// Well is how much of a file is there when a download is well under way.
const Well = 0.2

// Step is one thing that happens. What it does not go by is zero.
type Step struct {
	Do              Verb
	Fault, Download int      // index in the plan
	Spared          []string // nodes that a fault may keep out of the swarm
}

// Say is a step in words, for a By line.
func (p Plan) Say(s Step) string {
	switch s.Do {
	case Open:
		return "starting the swarm"
	case Inject:
		return "injecting " + p.Faults[s.Fault].String()
	case Heal:
		return "healing " + p.Faults[s.Fault].String()
	}
	d := p.Downloads[s.Download]
	switch s.Do {
	case Begin:
		return fmt.Sprintf("beginning a download of %s on %s", d.File, d.Peer)
	case Halfway:
		return fmt.Sprintf("getting well into the download of %s on %s", d.File, d.Peer)
	default:
		return fmt.Sprintf("seeing %s arrive on %s", d.File, d.Peer)
	}
}

func (f Fault) String() string { return f.Of.Kind() + " on " + f.Of.Target() }

// Title is what the scenarios of plans are about, and Label marks them.
const (
	Title = "A random plan"
	Label = "drawn"
)

// Name is the plan's, below the Title.
func (p Plan) Name() string {
	return fmt.Sprintf("of seed %d, number %d, keeps what the swarm promises", p.Seed, p.Number)
}

// Variable is the environment variable that asks the suite for plans, as Request words it.
const Variable = "FAULTBED_EXPLORE"

// Request words the wish for n plans of a seed.
func Request(seed int64, n int) string { return fmt.Sprintf("%d:%d", seed, n) }

// Requested draws the plans of a request; none if it is empty. An error says what is wrong
// with it.
func Requested(request string) ([]Plan, error) {
	if request == "" {
		return nil, nil
	}
	first, second, _ := strings.Cut(request, ":")
	seed, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("request %q: use seed:n, two whole numbers: %w", request, err)
	}
	n, err := strconv.Atoi(second)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("request %q: use seed:n, n from 1", request)
	}
	plans := make([]Plan, n)
	for i := range plans {
		plans[i] = Draw(seed, i+1)
	}
	return plans, nil
}
