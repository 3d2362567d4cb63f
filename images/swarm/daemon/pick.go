package daemon

import (
	"cmp"
	"slices"
	"time"
)

// offer is a parent as the choice sees it.
type offer struct {
	name string
	has  func(piece int) bool
	// ready: it is neither given up nor in a pause after a failure.
	ready    bool
	flying   int // pieces on their way from it
	failures int // in a row
	beaten   int // how often another parent was faster with a piece asked of both
	rank     int // its place in the supernode's choice, the nearest first
}

// compare orders parents, who is asked sooner first: the nearer, which gives the most as
// long as it has room, then the less busy. Who was beaten once counts as one farther, who
// failed as two.
func (o offer) compare(p offer) int {
	return cmp.Or(
		cmp.Compare(o.rank+2*o.failures+o.beaten, p.rank+2*p.failures+p.beaten),
		cmp.Compare(o.flying, p.flying),
		cmp.Compare(o.name, p.name),
	)
}

// room says whether it may be asked for one more piece: one trial at a time, if it failed.
func (o offer) room() bool {
	limit := inFlightParent
	if o.rank == 0 {
		limit = inFlightNearest
	}
	return o.ready && o.flying < limit && (o.failures == 0 || o.flying == 0)
}

// aloft is a piece on its way: from whom, first asked first, and for how long.
type aloft struct {
	piece  int
	from   []string
	since  time.Duration
	landed bool // it has come from another one already: nobody is asked for it any more
}

// ask is one piece to ask of one parent.
type ask struct {
	piece  int
	parent string
}

// pick decides what is asked of whom now. Pieces that are missing and not on their way
// come first, in their order, each from the nearest parent that has it and room. A parent
// that then still has room, because nothing is left that it could be asked for, and
// is itself in time, is asked for the pieces that are overdue for longest, too: the
// first to arrive wins. Overdue is what takes longer than slow; it counts no more as
// being on its way, so that parents that give nothing keep none idle that would.
func pick(missing []int, flying []aloft, offers []offer, slow time.Duration) []ask {
	offers = slices.Clone(offers)
	var asks []ask
	give := func(piece int, fits func(offer) bool) bool {
		best := -1
		for i, o := range offers {
			if !o.room() || !fits(o) || !o.has(piece) {
				continue
			}
			if best < 0 || o.compare(offers[best]) < 0 {
				best = i
			}
		}
		if best >= 0 {
			offers[best].flying++
			asks = append(asks, ask{piece, offers[best].name})
		}
		return best >= 0
	}
	brisk := 0
	var overdue []aloft
	late := map[string]bool{}
	for _, a := range flying {
		if a.since <= slow {
			brisk++
			continue
		}
		late[a.from[0]] = true
		if len(a.from) == 1 && !a.landed {
			overdue = append(overdue, a)
		}
	}
	for _, piece := range missing {
		if brisk >= inFlightAll {
			return asks
		}
		if give(piece, func(offer) bool { return true }) {
			brisk++
		}
	}
	slices.SortStableFunc(overdue, func(a, b aloft) int { return cmp.Compare(b.since, a.since) })
	for _, a := range overdue {
		give(a.piece, func(o offer) bool { return !late[o.name] })
	}
	return asks
}
