package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// Invariants are what holds in every scenario, whatever its own promise: a line for each
// that is broken, the gravest first.
//
//   - no process panics, and no file that arrived differs from its digest;
//   - a download that failed leaves nothing behind, and none outlives its limit;
//   - when all is healed, every supernode counts everybody within the bound for that, and
//     nobody holds more descriptors or goroutines than before;
//   - nothing is written that did not come over a link;
//   - a log that tells of a failed connection names target and cause, and no cause that the
//     injected fault cannot have;
//   - budgets are kept: see Budgets.
func Invariants(h history.History) []string {
	if h.Limits == nil {
		return nil // from before there were any, or a bed that never came up
	}
	broken := slices.Concat(panics(h), spoiled(h), outstayed(h), away(h), fromNowhere(h), speechless(h), misnamed(h))
	for _, b := range Budgets(h) {
		if b.Measured > b.Limit {
			broken = append(broken, fmt.Sprintf("over budget: %s %d %s%s, at most %d", b.Name, b.Measured, b.Unit, of(b.Of), b.Limit))
		}
	}
	return broken
}

func of(what string) string {
	if what == "" {
		return ""
	}
	return " (" + what + ")"
}

// panics are lines that Go programs print when they end unforeseen.
func panics(h history.History) (broken []string) {
	for _, l := range h.Log {
		if strings.HasPrefix(l.Text, "panic: ") || strings.HasPrefix(l.Text, "fatal error: ") {
			broken = append(broken, l.Node+": "+l.Text)
		}
	}
	return broken
}

func spoiled(h history.History) (broken []string) {
	for _, d := range h.Downloads {
		switch {
		case d.Error == "" && !d.SHA256OK && d.TookMS > 0:
			broken = append(broken, fmt.Sprintf("%s on %s differs from its digest, and nobody said so: %d of %d bytes", d.File, d.Peer, d.Bytes, d.Size))
		case d.Error != "" && !d.Proxied && d.SHA256OK != (d.Bytes > 0):
			broken = append(broken, fmt.Sprintf("%s on %s failed (%s) and left %d bytes that are not the file", d.File, d.Peer, d.Error, d.Bytes))
		}
	}
	return broken
}

// outstayed are downloads that took all the time that they had: they ended because their
// client, or the harness, ended them.
func outstayed(h history.History) (broken []string) {
	for _, d := range h.Downloads {
		if d.LimitMS > 0 && d.TookMS >= d.LimitMS {
			broken = append(broken, fmt.Sprintf("%s on %s did not end in time: %d ms, at most %d", d.File, d.Peer, d.TookMS, d.LimitMS))
		}
	}
	return broken
}

func away(h history.History) []string {
	if h.Settled == nil || h.Settled.BackMS != nil {
		return nil
	}
	broken := make([]string, len(h.Settled.Missing))
	for i, line := range h.Settled.Missing {
		broken[i] = fmt.Sprintf("%s, %d ms after everything was healed", line, h.Limits.RejoinMS)
	}
	return broken
}

// How much more than before a node may hold without that being a leak: connections that
// are kept for a while, two to each other node, and those who serve them.
const (
	spareDescriptors = 6
	spareGoroutines  = 20
	perNode          = 2
	perConnection    = 3 // goroutines
)

// Leak says what a node holds too much of, on a bed of so many nodes, or "".
func Leak(h history.Held, nodes int) string {
	descriptors := h.Before.Descriptors + h.Files + spareDescriptors + perNode*nodes
	goroutines := h.Before.Goroutines + spareGoroutines + perConnection*perNode*nodes
	switch {
	case h.After.Descriptors > descriptors:
		return fmt.Sprintf("%s has %d open descriptors, had %d", h.Node, h.After.Descriptors, h.Before.Descriptors)
	case h.After.Goroutines > goroutines:
		return fmt.Sprintf("%s runs %d goroutines, ran %d", h.Node, h.After.Goroutines, h.Before.Goroutines)
	}
	return ""
}

// fromNowhere holds what each peer wrote against what came to it over its links.
func fromNowhere(h history.History) (broken []string) {
	if h.Intake == nil {
		return nil // the books are not closed
	}
	for peer, written := range written(h) {
		if got := h.Intake[peer].Total(); got < written {
			broken = append(broken, fmt.Sprintf("%s has files of %d bytes, and its links brought %d", peer, written, got))
		}
	}
	slices.Sort(broken)
	return broken
}

// written are the bytes of different files that arrived whole on each peer. What it lost
// with its disk and got again is not counted twice.
func written(h history.History) map[string]int64 {
	type copied struct{ peer, file string }
	seen, sum := map[copied]bool{}, map[string]int64{}
	for _, d := range h.Downloads {
		if c := (copied{d.Peer, d.File}); d.SHA256OK && !seen[c] {
			seen[c] = true
			sum[d.Peer] += d.Bytes
		}
	}
	return sum
}

func speechless(h history.History) (broken []string) {
	for _, c := range h.Complaints {
		if c.Target == "" || c.Cause == "" {
			broken = append(broken, fmt.Sprintf("%s logs a failed connection (%s) without target or cause: target %q, cause %q: %s", c.Node, c.Step, c.Target, c.Cause, c.Error))
		}
	}
	return broken
}

// misnamed are complaints about a link under a fault, the only one of the scenario, that
// name a cause which such a fault cannot have.
func misnamed(h history.History) (broken []string) {
	var applied []history.Fault
	for _, f := range h.Faults {
		if f.AppliedMS != nil {
			applied = append(applied, f)
		}
	}
	if len(applied) != 1 {
		return nil // what two of them make of a link together, nobody says for certain
	}
	f := applied[0]
	kind := f.Kind
	for _, timetable := range []string{"flap-", "once-", "ramp-"} {
		kind = strings.TrimPrefix(kind, timetable)
	}
	for _, c := range h.Complaints {
		if h.EndedMS != nil && c.FirstMS > *h.EndedMS {
			continue // the bed was put away
		}
		within := c.FirstMS >= *f.AppliedMS && (f.HealedMS == nil || c.LastMS <= *f.HealedMS)
		outcome, on := seen(f, c.Link())
		if c.Cause == "" || !within || !on || slices.Contains(explains(kind, outcome), c.Cause) {
			continue
		}
		broken = append(broken, fmt.Sprintf("%s says that %s is %q, under %s on %s, which a probe saw as %q: %s",
			c.Node, c.Target, c.Cause, f.Kind, f.Target, outcome, c.Error))
	}
	return broken
}

// seen is what the probe of a link came to under a fault.
func seen(f history.Fault, link string) (outcome string, on bool) {
	for _, r := range f.Receipt.Probe.During {
		if r.Link == link && (!on || r.Outcome != "ok") {
			outcome, on = r.Outcome, true
		}
	}
	return outcome, on
}

// explains are the causes that a node may name for a link under a fault of that kind, which
// a probe saw like that. Whoever held a connection sees it end in another way than who
// makes one.
func explains(kind, outcome string) []string {
	broken := []string{"reset", "closed", "stalled"}
	switch kind {
	case "kill", "stop", "restart", "unreachable", "memory-limit":
		return append(broken, "refused", "timed out", "unreachable", "no such host") // the engine forgets the name of what is gone
	case "fd-limit", "fd-hog":
		return append(broken, "timed out", "refused", "too many open files", "bad answer")
	case "dns-fail", "dns-slow", "dns-wrong":
		return append(broken, "no such host", "timed out", "refused", "unreachable")
	case "garble", "corrupt", "limit-data", "slice", "slow-close":
		return append(broken, "corrupt", "bad answer", "timed out")
	case "disk-full":
		return append(broken, "no space", "bad answer", "timed out")
	}
	switch outcome {
	case "refused":
		return append(broken, "refused", "timed out")
	case "unreachable":
		return append(broken, "unreachable", "timed out")
	}
	return append(broken, "timed out", "bad answer")
}
