// Package owner decides which supernode owns a task: the one that chooses its
// parents and triggers its seeds. It is pure, and every peer with the same live
// supernodes in mind comes to the same decision without asking anybody.
package owner

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// Order lists supernodes in the order in which they own the task: the first of them
// that lives does. It is rendezvous hashing, the form of consistent hashing that needs
// no ring (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
// 1998): a supernode that comes or goes changes the owner of its own tasks only, and
// they spread evenly over those that are left.
func Order(task string, supernodes []string) []string {
	order := slices.Clone(supernodes)
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(task, b), weight(task, a)), cmp.Compare(a, b))
	})
	return slices.Compact(order)
}

// weight is a hash of both names. FNV alone leaves what differs in the last bytes
// together in the high bits; the finalizer of MurmurHash3 spreads it over all.
func weight(task, supernode string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(task + "\n" + supernode))
	w := h.Sum64()
	w = (w ^ w>>33) * 0xff51afd7ed558ccd
	w = (w ^ w>>33) * 0xc4ceb9fe1a85ec53
	return w ^ w>>33
}
