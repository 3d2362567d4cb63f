package supernode

import (
	"slices"
	"strings"

	"github.com/faultbed/faultbed/images/swarm/pb"
)

// maxListed is how many others a peer is told of: as many as it keeps links with. All
// peers told of all others would be the square of their number, at every change.
const maxListed = 32

// roster is all counted peers, sorted by name. A peer is told of those that follow it,
// the first after the last; so each is told to as many as it is told of.
type roster []*record

func (o roster) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(o, name, func(r *record, name string) int { return strings.Compare(r.host.GetName(), name) })
}

func (o roster) with(r *record) roster {
	at, _ := o.find(r.host.GetName())
	return slices.Insert(o, at, r)
}

func (o roster) without(r *record) roster {
	if at, found := o.find(r.host.GetName()); found && o[at] == r {
		return slices.Delete(o, at, at+1)
	}
	return o
}

// othersOf lists those that r is told of, by name.
func (o roster) othersOf(r *record) []*pb.Host {
	at, found := o.find(r.host.GetName())
	if !found || o[at] != r {
		return nil // dropped, and about to hear of it
	}
	told := make(roster, 0, min(maxListed, len(o)-1))
	for i := 1; i < len(o) && len(told) < maxListed; i++ {
		told = append(told, o[(at+i)%len(o)])
	}
	slices.SortFunc(told, func(a, b *record) int { return strings.Compare(a.host.GetName(), b.host.GetName()) })
	hosts := make([]*pb.Host, len(told))
	for i, other := range told {
		hosts[i] = other.host
	}
	return hosts
}

// told are those that are told of a peer of that name, whether or not it is there.
func (o roster) told(name string) []*record {
	at, _ := o.find(name)
	before := make([]*record, 0, min(maxListed, len(o)))
	for i := 1; i <= len(o) && len(before) < maxListed; i++ {
		before = append(before, o[(at-i+len(o))%len(o)])
	}
	return before
}

// count takes a peer in, and tells those who are to know. The caller holds mu.
func (s *Supernode) count(r *record) {
	s.peers[r.host.GetName()] = r
	s.roster = s.roster.with(r)
	s.tell(r)
}

// discount takes it out again. The caller holds mu.
func (s *Supernode) discount(r *record) {
	if s.peers[r.host.GetName()] == r {
		delete(s.peers, r.host.GetName())
	}
	s.roster = s.roster.without(r)
	s.tell(r)
}

// tell wakes those whose list has changed with r, and those who want something, to whom
// r may matter. The caller holds mu.
func (s *Supernode) tell(r *record) {
	for _, other := range s.roster.told(r.host.GetName()) {
		other.ring()
	}
	s.wake()
}

// ring makes r's stream look what is new.
func (r *record) ring() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}
