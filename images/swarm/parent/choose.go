// Package parent decides whom a peer downloads from. It is pure: the same
// candidates always give the same choice.
package parent

import (
	"cmp"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Candidate is what is known of a possible parent. FreeSlots counts uploads that
// it could still serve; Failures the children that reported one of it of late.
// RoundTrip is what the child measured, 0 for nothing yet.
type Candidate struct {
	Name      string
	IDC       string
	Location  string
	Seed      bool
	Reachable bool
	FreeSlots int
	Failures  int
	Pieces    int
	RoundTrip time.Duration
}

// MaxFailures is the number of children with a reported upload failure, not yet
// forgiven, from which a peer is nobody's parent any more.
const MaxFailures = 3

// Weights of the score: nearness as configured, then as measured, before load, as
// Dragonfly weighs them; each term is between 0 and its weight. Equals in the score are
// ordered by the pieces that they have.
//
//	same data centre                          40
//	location path, by the levels shared       20
//	round trip, by its order of magnitude     18
//	free upload slots, up to 15               15
//	a normal peer rather than a seed           5
//	each child that reported a failure       -30
const (
	weightIDC       = 40
	weightLocation  = 20
	weightRoundTrip = 18
	weightSlots     = 15
	weightNormal    = 5
	slotsThatCount  = 15
	failurePenalty  = 30
)

// Choose returns up to limit parents for child, best first. Those that nobody
// can reach, or that failed too often, are never chosen; equals are ordered by a
// hash of both names, so that children spread over them.
func Choose(child Candidate, candidates []Candidate, limit int) []string {
	fit := slices.DeleteFunc(slices.Clone(candidates), func(c Candidate) bool {
		return c.Name == child.Name || !c.Reachable || c.Failures >= MaxFailures
	})
	slices.SortFunc(fit, func(a, b Candidate) int {
		return cmp.Or(
			cmp.Compare(score(child, b), score(child, a)),
			cmp.Compare(b.Pieces, a.Pieces),
			cmp.Compare(rank(child, a), rank(child, b)),
		)
	})
	limit = max(0, min(limit, len(fit)))
	names := make([]string, 0, limit)
	for _, c := range fit[:limit] {
		names = append(names, c.Name)
	}
	return names
}

func score(child, c Candidate) int {
	s := weightLocation * shared(child.Location, c.Location) / maxDepth
	if child.IDC != "" && child.IDC == c.IDC {
		s += weightIDC
	}
	s += weightRoundTrip * nearness(c.RoundTrip) / farthest
	s += weightSlots * min(max(c.FreeSlots, 0), slotsThatCount) / slotsThatCount
	if !c.Seed {
		s += weightNormal
	}
	return s - failurePenalty*c.Failures
}

// maxDepth is how many levels of a location count, as in "country|city|zone|rack|host".
const maxDepth = 5

// shared is the number of leading levels that two locations share.
func shared(a, b string) int {
	if a == "" || b == "" {
		return 0
	}
	left, right := strings.Split(a, "|"), strings.Split(b, "|")
	n := 0
	for n < min(len(left), len(right), maxDepth) && strings.EqualFold(left[n], right[n]) {
		n++
	}
	if n == len(left) && n == len(right) {
		return maxDepth
	}
	return n
}

// farthest is how many doublings of a millisecond count: from half a second on, all is far.
const farthest = 10

// nearness is between farthest, for less than a millisecond, and 0. Each doubling takes
// one off, so that the jitter of a busy machine decides nothing that matters. What was
// not measured yet lies in the middle.
func nearness(trip time.Duration) int {
	if trip <= 0 {
		return farthest / 2
	}
	return farthest - min(farthest, bits.Len64(uint64(trip.Milliseconds())))
}

func rank(child, c Candidate) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(child.Name + "/" + c.Name))
	return h.Sum64()
}
