package supernode

import (
	"fmt"
	"slices"
	"testing"

	"github.com/faultbed/faultbed/images/swarm/pb"
)

func TestRosterTellsEachOfAsManyAsAreToldOfIt(t *testing.T) {
	for _, n := range []int{1, 2, maxListed, maxListed + 1, maxListed + 2, 200} {
		var o roster
		for i := range n { // not in order
			o = o.with(newRecord(&pb.Host{Name: fmt.Sprintf("peer-%03d", i*7919%n)}, "", true))
		}
		if !slices.IsSortedFunc(o, func(a, b *record) int { return slices.Compare([]string{a.host.Name}, []string{b.host.Name}) }) {
			t.Fatalf("%d peers are out of order", n)
		}
		want, heard := min(maxListed, n-1), map[string]int{}
		for _, r := range o {
			others := o.othersOf(r)
			names := make([]string, 0, len(others))
			for _, h := range others {
				heard[h.GetName()]++
				names = append(names, h.GetName())
				if next, found := o.find(h.GetName()); !found || !slices.Contains(o.told(h.GetName()), r) {
					t.Errorf("%d peers: a change of %s is not told to %s, who knows it (%d)", n, h.GetName(), r.host.GetName(), next)
				}
			}
			if len(others) != want || !slices.IsSorted(names) || slices.Contains(names, r.host.GetName()) {
				t.Errorf("%d peers: %s is told of %v", n, r.host.GetName(), names)
			}
		}
		for _, r := range o {
			if heard[r.host.GetName()] != want {
				t.Errorf("%d peers: %d are told of %s, want %d", n, heard[r.host.GetName()], r.host.GetName(), want)
			}
		}
	}
}

func TestRosterForgetsOnlyWhomItHolds(t *testing.T) {
	old, again := newRecord(&pb.Host{Name: "b"}, "1", true), newRecord(&pb.Host{Name: "b"}, "2", true)
	o := roster{}.with(newRecord(&pb.Host{Name: "a"}, "", true)).with(old).with(newRecord(&pb.Host{Name: "c"}, "", true))
	o = o.without(old).with(again)
	if o = o.without(old); len(o) != 3 || o[1] != again {
		t.Errorf("a registration that was replaced took its successor away: %d are left", len(o))
	}
	if told := o.othersOf(old); told != nil {
		t.Errorf("one that is gone is told of %v", told)
	}
	o = o.without(again)
	if told := o.told("b"); len(o) != 2 || !slices.Contains(told, o[0]) || !slices.Contains(told, o[1]) {
		t.Errorf("of %d left, %d hear that one went", len(o), len(told))
	}
}
