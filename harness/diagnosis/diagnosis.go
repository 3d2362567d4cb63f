// Package diagnosis says in words what broke in a scenario that is red: at which step of
// joining the swarm, on which link, since when, and which of the usual causes it looks
// like. It goes by what nodes, probes and links showed, and not by what was injected, so
// that it reads a customer's trouble as it reads a fault of ours; it then says whether a
// fault in force explains it. A diagnosis is no verdict: that is package judge's.
//
//	d := diagnosis.Of(scenario)
//	fmt.Println(d.Words)
package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// Step is one of the four in which a node joins the swarm.
type Step string

// The steps in their order; NoStep is where none is seen to have broken.
const (
	NoStep   Step = ""
	Register Step = "register"           // with the configured supernode
	List     Step = "list"               // get the active peers from it
	Connect  Step = "choose and connect" // choose the best of them and connect
	Share    Step = "share"              // give and take pieces
)

// Steps are all of them.
var Steps = []Step{Register, List, Connect, Share}

// Cause is what a broken step looks like.
type Cause string

// The causes of "Peer count is 0", as its failure analysis has them.
const (
	BlockedPort Cause = "a blocked port"
	DNS         Cause = "DNS or host names"
	MTU         Cause = "MTU"
	DeadSeed    Cause = "an unreachable seed"
	Version     Cause = "incompatible versions"
	Descriptors Cause = "exhausted file descriptors"
	NoCause     Cause = "none of the known causes"
)

// Diagnosis is what is the matter with a scenario.
type Diagnosis struct {
	Step    Step
	Link    string // client>server:port
	SinceMS *int64 // on the bed's clock; nil if nobody saw it begin
	Cause   Cause
	Why     string // what makes it look like that
	// Words are all of it, in a few sentences, and Lines what nodes logged about it, at
	// most three, the most telling chosen and the earliest first.
	Words string
	Lines []history.LogLine
}

// linesAtMost is how many log lines show a reason.
const linesAtMost = 3

// Of diagnoses a scenario; the zero Diagnosis is that of one that nobody has to act on,
// other than one that is KNOWN.
func Of(s history.Scenario) Diagnosis {
	c := read(s.History)
	switch s.Verdict {
	case history.Fail, history.Known:
	case history.Inconclusive:
		return Diagnosis{Words: "The run proves nothing, in either direction: " + full(Sentence(s.Reason)), Lines: c.lines(finding{})}
	case history.Infra:
		return Diagnosis{Words: "Machine or harness failed, and nothing is said of the swarm: " + full(Sentence(s.Reason)), Lines: c.lines(finding{})}
	default:
		return Diagnosis{}
	}
	f, ok := c.find()
	if !ok {
		return Diagnosis{Cause: NoCause, Words: unseen(s.History), Lines: c.lines(f)}
	}
	d := Diagnosis{Step: f.step, Link: f.link(), SinceMS: &f.since, Lines: c.lines(f)}
	d.Cause, d.Why = c.cause(f)
	d.Words = strings.Join([]string{f.words() + c.lastSeen(f), looks(d.Cause, d.Why), c.explained(f)}, " ")
	if died := strings.Join(s.Died, ", "); died != "" {
		d.Words = full(died) + " What others saw of that: " + d.Words
	}
	return d
}

// unseen is what there is to say where no link complained.
func unseen(h history.History) string {
	words := "No step of joining is seen to have broken: no node complained of a connection, and no probe failed on the way."
	if len(h.Died) > 0 {
		words += " " + full("But "+strings.Join(h.Died, ", "))
	}
	return words
}

func looks(c Cause, why string) string {
	return "It looks like " + string(c) + ": " + full(why)
}

// finding is where a history broke.
type finding struct {
	step         Step
	node, target string // target is server:port
	since, until int64
	count        int
	how          string // the error, or what the probe saw
	complaint    *history.Complaint
}

func (f finding) link() string {
	if f.target == "" {
		return f.node
	}
	return f.node + ">" + f.target
}

// server is the node that was to be reached.
func (f finding) server() string { return host(f.target) }

func (f finding) words() string {
	where := "Joining broke"
	if f.step != NoStep {
		where = fmt.Sprintf("Joining broke at step %d, %s", slices.Index(Steps, f.step)+1, f.step)
	}
	what := fmt.Sprintf("%s could not reach %s", f.node, f.target)
	if f.target == "" {
		what = f.node + " had trouble"
	}
	times := "once"
	if f.count > 1 {
		times = fmt.Sprintf("%d times until %d ms", f.count, f.until)
	}
	return fmt.Sprintf("%s: %s from %d ms on, %s (%s).", where, what, f.since, times, Sentence(f.how))
}

// lastSeen is when the ledger last saw something pass on a finding's link.
func (c scene) lastSeen(f finding) string {
	for _, l := range c.h.Ledger {
		if l.LastMS != nil && fmt.Sprintf("%s>%s:%d", l.Client, l.Server, l.Port) == f.link() {
			return fmt.Sprintf(" The last byte on that link passed at %d ms.", *l.LastMS)
		}
	}
	return ""
}

// explained says which fault that was in force goes with a finding.
func (c scene) explained(f finding) string {
	for _, one := range c.h.Faults {
		if one.AppliedMS == nil || *one.AppliedMS > f.until || one.HealedMS != nil && *one.HealedMS < f.since {
			continue
		}
		if c.concerns(one, f) {
			words := fmt.Sprintf("The fault %s on %s, in force since %d ms, is on that way", one.Kind, one.Target, *one.AppliedMS)
			if one.HealedMS != nil && *one.HealedMS < c.end {
				words += fmt.Sprintf("; it was healed at %d ms, so what is still broken after that is the swarm's own doing", *one.HealedMS)
			}
			return words + "."
		}
	}
	if len(c.h.Faults) == 0 {
		return "No fault was injected."
	}
	return "No fault in force was on that way: the swarm broke it, or what was broken before."
}

// concerns says whether a fault is on a finding's link, or at one of its ends.
func (c scene) concerns(one history.Fault, f finding) bool {
	words := strings.FieldsFunc(one.Target, func(r rune) bool { return strings.ContainsRune(" ,<>:()", r) })
	if slices.Contains(words, f.node) || f.server() != "" && slices.Contains(words, f.server()) {
		return true
	}
	return slices.ContainsFunc(one.Receipt.Probe.During, func(r history.Reading) bool {
		return r.Link == f.link() || strings.HasSuffix(r.Link, ">"+f.target) && f.target != ""
	})
}
