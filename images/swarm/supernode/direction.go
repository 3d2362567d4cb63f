package supernode

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/faultbed/faultbed/images/swarm/parent"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// parentsPerChild is how many parents a child is told of at once, as in Dragonfly's
// candidate parent limit.
const parentsPerChild = 4

// task is what the supernode knows of one file.
type task struct {
	*pb.Task
	jobs map[string]*job // by seed address
	// sourceUntil: the seeds were tried in vain; until then peers go to the origin.
	sourceUntil time.Time
}

// job is one attempt to make a seed fetch a task.
type job struct {
	state jobState
	ended time.Time
}

type jobState int

const (
	jobActive jobState = iota
	jobDone
	jobFailed
)

func (s *Supernode) taskOf(id, url, digest string) *task {
	t := s.tasks[id]
	if t == nil {
		t = &task{Task: &pb.Task{Id: id, Url: url, Digest: digest}, jobs: map[string]*job{}}
		s.tasks[id] = t
	}
	return t
}

// learn takes in what a peer knows. A piece's first digest stays, unless a seed says otherwise.
func (t *task) learn(from *pb.Task, seed bool) {
	if t.GetPieceSize() == 0 && layoutOf(from).Sane() {
		t.Length, t.PieceSize = from.GetLength(), from.GetPieceSize()
	}
	if layoutOf(from) != layoutOf(t.Task) {
		return
	}
	for i, d := range from.GetDigests() {
		if i == t.pieces() {
			return
		}
		if i == len(t.Digests) {
			t.Digests = append(t.Digests, nil)
		}
		if len(d) == sha256.Size && (len(t.Digests[i]) == 0 || seed) {
			t.Digests[i] = d
		}
	}
}

func layoutOf(t *pb.Task) piece.Layout {
	return piece.Layout{Length: t.GetLength(), Size: t.GetPieceSize()}
}

func (t *task) pieces() int { return layoutOf(t.Task).Count() }

func (t *task) heldWhole(r *record) bool {
	held, ok := r.held[t.GetId()]
	return ok && t.GetPieceSize() > 0 && held.Count() == t.pieces()
}

// directionsFor says, for each of r's wants, where to go, if that changed since it
// was last told. It may trigger seeds. The caller holds mu.
func (s *Supernode) directionsFor(r *record) []*pb.Direction {
	var changed []*pb.Direction
	for id, w := range r.wants {
		d := s.direct(r, w, s.tasks[id])
		if mark := d.mark(); mark != w.sent {
			w.sent = mark
			changed = append(changed, d.Direction)
		}
	}
	return changed
}

// direction is a pb.Direction that can be compared.
type direction struct{ *pb.Direction }

func (d direction) mark() string {
	var b strings.Builder
	names := make([]string, 0, len(d.GetParents()))
	for _, p := range d.GetParents() {
		names = append(names, p.GetName()+"@"+p.GetIp())
	}
	slices.Sort(names)
	known := 0
	for _, digest := range d.GetTask().GetDigests() {
		if len(digest) > 0 {
			known++
		}
	}
	fmt.Fprintf(&b, "%v %v %d %d", names, d.GetBackToSource(), d.GetTask().GetLength(), known)
	return b.String()
}

// direct decides where r gets w from: from parents that have it or are getting it;
// else a seed is triggered; with no seed left the first to ask goes to the origin
// and the others follow it.
func (s *Supernode) direct(r *record, w *want, t *task) direction {
	now := time.Now()
	age := s.cfg.Profile.FailureAgeOut
	var candidates []parent.Candidate
	whole := map[string]bool{}
	for _, other := range s.roster {
		if other == r || other.failed(r.host.GetName(), now, age) || !r.speaksWith(other) {
			continue
		}
		c := other.candidate(t.GetId(), now, age)
		c.RoundTrip = r.trips[c.Name]
		works := t.heldWhole(other) || s.obtains(other, t, now)
		if c.Pieces == 0 && !works {
			continue
		}
		candidates = append(candidates, c)
		if works {
			whole[c.Name] = c.Reachable && c.Failures < parent.MaxFailures
		}
	}
	self := parent.Candidate{Name: r.host.GetName(), IDC: r.host.GetIdc(), Location: r.host.GetLocation()}
	chosen := parent.Choose(self, candidates, parentsPerChild)
	sure := slices.ContainsFunc(chosen, func(name string) bool { return whole[name] })
	if !sure {
		// None of the chosen will have all of it: make room for one that will.
		for _, c := range candidates {
			if whole[c.Name] {
				chosen = append(chosen[:min(len(chosen), parentsPerChild-1)], c.Name)
				sure = true
				break
			}
		}
	}
	if !sure && !w.source {
		w.source = !s.trigger(r, t, now)
		if w.source {
			w.progressed = now
			s.log.Info("back to source", "peer", r.host.GetName(), "task", t.GetId(), "url", t.GetUrl())
			s.wake()
		}
	}
	d := &pb.Direction{Task: proto.CloneOf(t.Task), BackToSource: w.source && !sure}
	if d.BackToSource {
		d.Reason = "no parent and no seed can serve this task"
	}
	for _, name := range chosen {
		d.Parents = append(d.Parents, s.peers[name].host)
	}
	return direction{d}
}

// obtains says whether other is fetching t from its origin right now, or has just
// finished and not yet announced it.
func (s *Supernode) obtains(other *record, t *task, now time.Time) bool {
	if w := other.wants[t.GetId()]; w != nil && w.source && now.Sub(w.progressed) < s.cfg.Profile.ScheduleTimeout {
		return true
	}
	for seed, j := range t.jobs {
		fetching := j.state == jobActive || j.state == jobDone && now.Sub(j.ended) < s.cfg.Profile.StallTimeout
		if fetching && isAt(other.host, seed) {
			return true
		}
	}
	return false
}
