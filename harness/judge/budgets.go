package judge

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// Budgets are the figures that no scenario may exceed, and what this one came to. Their
// limits are made of the system's own timers and of what was asked of the swarm.
func Budgets(h history.History) []history.Budget {
	if h.Limits == nil || h.OpenedMS == nil {
		return nil
	}
	var all []history.Budget
	for _, figure := range []func(history.History) (history.Budget, bool){
		firstPeer, ready, fallback, recovery, attempts, wasted, asked,
	} {
		if b, measured := figure(h); measured {
			all = append(all, b)
		}
	}
	return all
}

// firstPeer is the time from open gates until a supernode counted anybody.
func firstPeer(h history.History) (history.Budget, bool) {
	b := history.Budget{Name: "time to first peer", Unit: "ms", Limit: h.Limits.ReadyMS}
	for _, p := range h.PeerCount {
		if p.N > 0 && p.AtMS >= *h.OpenedMS {
			b.Measured = p.AtMS - *h.OpenedMS
			return b, true
		}
	}
	return b, false
}

// ready is the time from open gates until a supernode counted everybody. A fault that is
// there from the beginning may hold that up for as long as it likes.
func ready(h history.History) (history.Budget, bool) {
	if h.BedReadyMS == nil || slices.ContainsFunc(h.Faults, func(f history.Fault) bool { return f.AppliedMS != nil && *f.AppliedMS < *h.BedReadyMS }) {
		return history.Budget{}, false
	}
	return history.Budget{Name: "time to all peers", Unit: "ms", Limit: h.Limits.ReadyMS, Measured: *h.BedReadyMS - *h.OpenedMS}, true
}

// turns is how often a download may have to turn to another source before it gets a byte:
// from its parents to the seeds, from the seeds to the origin.
const turns = 2

// fallback is the longest time in which a download that ended well got no byte.
func fallback(h history.History) (history.Budget, bool) {
	b := history.Budget{Name: "time to fallback", Unit: "ms", Limit: turns * h.Limits.FallbackMS}
	found := false
	for _, d := range h.Downloads {
		if d.Error != "" {
			continue
		}
		gap, seen := silence(h.Samples, d.StartedMS, d.StartedMS+d.TookMS)
		if found = found || seen; seen && gap > b.Measured {
			b.Measured, b.Of = gap, d.File+" on "+d.Peer
		}
	}
	return b, found
}

// silence is the longest time between two moments in which no byte of a file moved on the
// bed, as far as its samples tell.
func silence(samples []history.Sample, from, to int64) (longest int64, seen bool) {
	last, sum := from, int64(-1)
	for _, s := range samples {
		if s.AtMS < from || s.AtMS > to {
			continue
		}
		seen = true
		if now := s.Origin + s.Seeds + s.Peers; now != sum {
			longest, last, sum = max(longest, s.AtMS-last), s.AtMS, now
		}
	}
	return max(longest, to-last), seen
}

// countPace is how often supernodes are looked at for the peer count, in milliseconds.
const countPace = 1000

// recovery is the longest time from the healing of a fault until every supernode counted
// everybody again, unless another fault came first.
func recovery(h history.History) (history.Budget, bool) {
	b := history.Budget{Name: "time to recovery", Unit: "ms", Limit: h.Limits.RejoinMS + countPace}
	if h.Settled == nil || h.Settled.BackMS == nil {
		return b, false
	}
	found := false
	for _, f := range h.Faults {
		if f.HealedMS == nil || disturbed(h, *f.HealedMS, *h.Settled.BackMS) {
			continue
		}
		found = true
		if took := back(h, *f.HealedMS) - *f.HealedMS; took > b.Measured {
			b.Measured, b.Of = took, f.Kind+" on "+f.Target
		}
	}
	return b, found
}

// disturbed says whether another fault was in force, or a node was replaced, between two moments.
func disturbed(h history.History, from, to int64) bool {
	for _, f := range h.Faults {
		if f.AppliedMS != nil && *f.AppliedMS < to && (f.HealedMS == nil || *f.HealedMS > from) {
			return true
		}
	}
	return slices.ContainsFunc(h.Steps, func(s history.Step) bool {
		return s.AtMS >= from && s.AtMS < to && (strings.HasPrefix(s.Text, "replace ") || strings.HasPrefix(s.Text, "crash "))
	})
}

// back is when every supernode counted as many as it has to, from a moment on.
func back(h history.History, from int64) int64 {
	last := from
	for supernode, want := range h.Settled.Counts {
		at := *h.Settled.BackMS
		for _, p := range slices.Backward(h.PeerCount) {
			if p.Supernode != supernode {
				continue
			}
			if p.N < want {
				break // from the next observation on it was well
			}
			at = min(at, p.AtMS)
			if p.AtMS <= from {
				break
			}
		}
		last = max(last, at)
	}
	return last
}

// attempts is how often one node turned to a supernode. A peer that is let in needs one
// connection; those whose supernode comes and goes try again at their pace.
func attempts(h history.History) (history.Budget, bool) {
	if h.Limits.RetryPauseMS == 0 {
		return history.Budget{}, false
	}
	const healthy = 3 // connections of a peer that nothing disturbs, at most
	const storm = 4   // times as many are a storm
	end := *h.OpenedMS
	for _, s := range h.Samples {
		end = max(end, s.AtMS)
	}
	b := history.Budget{Name: "attempts to reach a supernode", Unit: "attempts", Limit: storm*healthy + 2*(end-*h.OpenedMS)/h.Limits.RetryPauseMS}
	roles := roles(h)
	tried := map[string]int64{}
	for _, l := range h.Ledger {
		if roles[l.Server] == "supernode" && !hogged(h, l) {
			tried[l.Client+">"+l.Server] += l.Conns
		}
	}
	for _, c := range h.Complaints {
		if server, _, _ := strings.Cut(c.Target, ":"); roles[server] == "supernode" && c.Step == "register" {
			tried[c.Node+">"+server] += int64(c.Count)
		}
	}
	for _, link := range slices.Sorted(maps.Keys(tried)) {
		if n := tried[link]; n > b.Measured {
			b.Measured, b.Of = n, link
		}
	}
	return b, len(tried) > 0
}

// hogged says whether a fault held connections of its own on a link: those are no attempts.
func hogged(h history.History, l history.LinkBytes) bool {
	return slices.ContainsFunc(h.Faults, func(f history.Fault) bool {
		return f.Kind == "fd-hog" && strings.HasPrefix(f.Target, fmt.Sprintf("%s>%s:%d ", l.Client, l.Server, l.Port))
	})
}

// wasted is what a peer got over its links beyond the files that it has: what was asked of
// two at once, broken off, or refused. Of what failed on the way it may get each file
// twice; and a piece from each of its parents.
func wasted(h history.History) (history.Budget, bool) {
	const piece = 4 << 20 // bytes, the largest
	b := history.Budget{Name: "wasted bytes", Unit: "bytes"}
	roles, written := roles(h), written(h)
	wanted := map[string]int64{}
	for _, d := range h.Downloads {
		wanted[d.Peer] += d.Size
	}
	found := false
	over := int64(0)
	for _, peer := range slices.Sorted(maps.Keys(h.Intake)) {
		if roles[peer] != "peer" {
			continue
		}
		waste, limit := h.Intake[peer].Total()-written[peer], 2*wanted[peer]+2*piece
		if !found || waste-limit > over {
			found, over = true, waste-limit
			b.Measured, b.Limit, b.Of = max(0, waste), limit, peer
		}
	}
	return b, found
}

// asked is what the origin gave. In a healthy run that is each file once; under a fault
// each client may have to help itself, and be broken off once.
func asked(h history.History) (history.Budget, bool) {
	var wanted, given int64
	files := map[string]int64{}
	for _, d := range h.Downloads {
		wanted += d.Size
		files[d.File] = d.Size
	}
	for _, from := range h.Intake {
		given += from.Origin
	}
	seeds := int64(0)
	for _, role := range roles(h) {
		if role == "seed" {
			seeds++
		}
	}
	limit := 2 * wanted
	for _, size := range files {
		limit += seeds * size
	}
	const unrecorded = 16 << 20 // bytes: what seeds were made to fetch ahead, and parts, are in no download
	return history.Budget{Name: "bytes from the origin", Unit: "bytes", Limit: limit + unrecorded, Measured: given}, wanted > 0
}

func roles(h history.History) map[string]string {
	roles := map[string]string{}
	for _, n := range h.Nodes {
		roles[n.Name] = n.Role
	}
	return roles
}
