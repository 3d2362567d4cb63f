package daemon

import (
	"maps"
	"slices"

	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// view is a consistent copy of a task's state, with the channel that closes at the next change.
type view struct {
	meta    *pb.Task
	held    piece.Bitmap
	needed  piece.Bitmap
	count   int
	known   bool
	done    bool
	running bool
	err     error
	sha     string
	from    map[giver]int64
	runs    int
	base    map[giver]int64
	changed <-chan struct{}
}

func (t *task) view() view {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := view{
		meta: &pb.Task{Id: t.id, Url: t.url, Digest: t.digest},
		held: slices.Clone(t.held), needed: slices.Clone(t.needed), count: t.count, known: t.known,
		done: t.done, running: t.running, err: t.err, sha: t.sha,
		from: maps.Clone(t.from), runs: t.runs, base: t.base, changed: t.changed,
	}
	if t.known {
		v.meta.Length, v.meta.PieceSize, v.meta.Digests = t.layout.Length, t.layout.Size, slices.Clone(t.digests)
	}
	return v
}

// sated says whether a run goes on that has brought all that was wanted of it.
func (v view) sated() bool {
	if !v.running || !v.known {
		return false
	}
	for i, octet := range v.needed {
		if octet&^v.held[i] != 0 {
			return false
		}
	}
	return true
}

func (v view) layout() piece.Layout {
	return piece.Layout{Length: v.meta.GetLength(), Size: v.meta.GetPieceSize()}
}
