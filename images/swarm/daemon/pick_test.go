package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Seen red without the second pass, with overdue pieces counted as on their way, and
// with a second parent asked for what is not overdue.
func TestPick(t *testing.T) {
	all := func(int) bool { return true }
	only := func(pieces ...int) func(int) bool {
		return func(i int) bool {
			for _, p := range pieces {
				if p == i {
					return true
				}
			}
			return false
		}
	}
	const slow = time.Second
	on := func(parent string, since time.Duration, pieces ...int) (list []aloft) {
		for _, p := range pieces {
			list = append(list, aloft{piece: p, from: []string{parent}, since: since})
		}
		return list
	}
	for name, c := range map[string]struct {
		missing []int
		flying  []aloft
		offers  []offer
		want    []ask
	}{
		"the nearest first, as long as it has room": {
			missing: []int{1, 2, 3, 4, 5, 6, 7, 8, 9},
			offers:  []offer{{name: "a", has: all, ready: true, rank: 1}, {name: "b", has: all, ready: true, rank: -1, flying: 1}},
			want:    []ask{{1, "b"}, {2, "b"}, {3, "b"}, {4, "b"}, {5, "a"}, {6, "a"}, {7, "a"}},
		},
		"but not before one that did well": {
			missing: []int{1},
			offers:  []offer{{name: "a", has: all, ready: true, rank: 1}, {name: "b", has: all, ready: true, failures: 1}},
			want:    []ask{{1, "a"}},
		},
		"each piece from the least busy": {
			missing: []int{4, 5, 6},
			offers:  []offer{{name: "a", has: all, ready: true, flying: 1}, {name: "b", has: all, ready: true}},
			want:    []ask{{4, "b"}, {5, "a"}, {6, "b"}},
		},
		"from whoever has it": {
			missing: []int{1, 2, 3},
			offers:  []offer{{name: "a", has: only(3), ready: true}, {name: "b", has: only(1), ready: true}},
			want:    []ask{{1, "b"}, {3, "a"}},
		},
		"not from one that is away, one trial for one that failed": {
			missing: []int{1, 2},
			offers:  []offer{{name: "a", has: all}, {name: "b", has: all, ready: true, failures: 1}},
			want:    []ask{{1, "b"}},
		},
		"no more than eight at once, three from one": {
			missing: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
			offers: []offer{
				{name: "a", has: all, ready: true},
				{name: "b", has: all, ready: true},
				{name: "c", has: all, ready: true},
				{name: "d", has: only(10), ready: true},
			},
			want: []ask{{1, "a"}, {2, "b"}, {3, "c"}, {4, "a"}, {5, "b"}, {6, "c"}, {7, "a"}, {8, "b"}},
		},
		"at the end an overdue piece is asked of an idle parent, the oldest first": {
			flying: append(on("a", 2*slow, 1), on("a", 3*slow, 2)...),
			offers: []offer{{name: "a", has: all, ready: true, flying: 2}, {name: "b", has: all, ready: true}},
			want:   []ask{{2, "b"}, {1, "b"}},
		},
		"and nobody is asked for one that came from another, while a silent parent is still waited for": { // seen red without
			flying: []aloft{{piece: 1, from: []string{"a"}, since: 2 * slow, landed: true}},
			offers: []offer{{name: "a", has: all, ready: true, flying: 1}, {name: "b", has: all, ready: true}},
		},
		"but not before it is overdue": {
			flying: on("a", slow/2, 1),
			offers: []offer{{name: "a", has: all, ready: true, flying: 1}, {name: "b", has: all, ready: true}},
		},
		"nor of a busy one": {
			flying: append(on("a", 2*slow, 1), on("b", slow/2, 2, 3, 4)...),
			offers: []offer{{name: "a", has: all, ready: true, flying: 1}, {name: "b", has: all, ready: true, flying: 3}},
		},
		"nor of one that is late itself": {
			flying: append(on("a", 2*slow, 1), on("b", 2*slow, 2)...),
			offers: []offer{{name: "a", has: all, ready: true, flying: 1}, {name: "b", has: all, ready: true, flying: 1}},
		},
		"nor of a third one": {
			flying: []aloft{{piece: 1, from: []string{"a", "b"}, since: 2 * slow}},
			offers: []offer{{name: "a", has: all, flying: 1}, {name: "b", has: all, flying: 1}, {name: "c", has: all, ready: true}},
		},
		"nor of one that has not got it": {
			flying: on("a", 2*slow, 1),
			offers: []offer{{name: "a", has: all, flying: 1}, {name: "b", has: only(2), ready: true}},
		},
		"new pieces first": {
			missing: []int{9}, flying: on("a", 2*slow, 1),
			offers: []offer{{name: "a", has: all, ready: true, flying: 1}, {name: "b", has: only(1, 9), ready: true}},
			want:   []ask{{9, "b"}, {1, "b"}},
		},
		"parents that give nothing keep nobody idle": {
			missing: []int{9}, flying: append(append(on("a", 2*slow, 1, 2, 3), on("b", 2*slow, 4, 5, 6)...), on("c", 2*slow, 7, 8)...),
			offers: []offer{
				{name: "a", has: all, ready: true, flying: 3},
				{name: "b", has: all, ready: true, flying: 3},
				{name: "c", has: only(7, 8), ready: true, flying: 2},
				{name: "d", has: all, ready: true},
			},
			want: []ask{{9, "d"}, {1, "d"}, {2, "d"}},
		},
		"one that was beaten comes later": {
			missing: []int{1},
			offers:  []offer{{name: "a", has: all, ready: true, beaten: 1}, {name: "b", has: all, ready: true}},
			want:    []ask{{1, "b"}},
		},
	} {
		for i := range c.offers {
			c.offers[i].rank++ // the nearest is at -1
		}
		if diff := cmp.Diff(c.want, pick(c.missing, c.flying, c.offers, slow), cmp.AllowUnexported(ask{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
