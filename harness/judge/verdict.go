// Package judge comes to a verdict over a history. Its functions are pure: they look
// at nothing but the history, so an old one can be judged again without containers.
package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// Verdict ends a history. A run whose machine failed, or that was not undone, is INFRA
// whatever else it shows; one whose fault cannot be injected here is N/A;
// one in which a node died by itself is a FAIL whatever its proofs say, as the dead prove
// nothing; one whose proof is broken is INCONCLUSIVE even if an assertion failed, because a
// fault that did not bite, or bit elsewhere too, explains neither success nor failure. One
// that kept its own promise is a FAIL all the same if an invariant is broken, see Invariants.
func Verdict(h history.History) (history.Verdict, string) {
	if len(h.Trouble) > 0 {
		return history.Infra, h.Trouble[0]
	}
	if len(h.Residue) > 0 {
		return history.Infra, "left behind: " + strings.Join(h.Residue, ", ")
	}
	if h.Unavailable != "" {
		return history.NotApplicable, h.Unavailable
	}
	if len(h.Died) > 0 && h.Canary == "" {
		return history.Fail, strings.TrimSpace(strings.Join(h.Died, ", ") + "\n" + h.Failure)
	}
	if h.Canary == "" { // a canary's doubts are what it was run for
		if doubt := Doubt(h); doubt != "" {
			return history.Inconclusive, doubt
		}
	}
	if h.Failure != "" {
		return history.Fail, h.Failure
	}
	for _, f := range h.Faults {
		if f.Receipt.Unwell != "" && h.Canary == "" {
			return history.Fail, f.Receipt.Unwell
		}
	}
	if broken := Invariants(h); len(broken) > 0 && h.Canary == "" {
		return history.Fail, strings.Join(broken, "\n")
	}
	return history.Pass, ""
}

// Doubt says why a history proves nothing, or "" if it does.
func Doubt(h history.History) string {
	if h.Started.IsZero() {
		return "no bed was laid"
	}
	if len(h.Doubts) > 0 {
		return h.Doubts[0]
	}
	for _, f := range h.Faults {
		name := fmt.Sprintf("fault %s on %s", f.Kind, f.Target)
		switch {
		case f.Error != "":
			return name + ": " + f.Error
		case !f.Receipt.Bites && f.Receipt.Doubt != "":
			return name + " " + f.Receipt.Doubt
		case !f.Receipt.Bites || f.ConfirmedMS == nil:
			return name + " was never confirmed"
		case f.HealedMS != nil && !f.Receipt.Gone && f.Receipt.Unwell == "":
			return name + " was not seen gone after healing"
		}
	}
	for _, d := range h.Downloads {
		if why := disagreement(d); why != "" {
			return why
		}
	}
	nodes := make([]string, 0, len(h.Bypass))
	for node, n := range h.Bypass {
		if n > 0 {
			nodes = append(nodes, fmt.Sprintf("%s (%d)", node, n))
		}
	}
	if len(nodes) > 0 {
		slices.Sort(nodes)
		return "connections around their link from " + strings.Join(nodes, ", ")
	}
	return ""
}

// How far a witness may be from the ledger: the ledger counts headers and what was
// thrown away too, a system counts whole pieces.
const (
	witnessSlack = 64 << 10 // bytes
	witnessShare = 0.1      // of the file
)

// disagreement says that a system's own count of what the origin gave contradicts the
// ledger: then one of the two is wrong, and the run proves nothing.
func disagreement(d history.Download) string {
	if d.Witness == nil {
		return ""
	}
	slack := witnessSlack + int64(witnessShare*float64(d.Bytes))
	again := d.From.Seeds + d.From.Peers // what it had from them and fetched once more it throws away uncounted
	if d.Witness.Origin <= d.From.Origin+slack && d.From.Origin <= d.Witness.Origin+slack+again {
		return ""
	}
	return fmt.Sprintf("%s on %s: the links say that the origin gave %d bytes, the peer's metrics say %d",
		d.File, d.Peer, d.From.Origin, d.Witness.Origin)
}
