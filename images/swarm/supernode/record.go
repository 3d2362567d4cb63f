package supernode

import (
	"fmt"
	"sync"
	"time"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/parent"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// record is one counted peer. All fields but the constant ones are guarded by Supernode.mu.
type record struct {
	host    *pb.Host
	session string
	gone    chan struct{} // closed when the peer is dropped
	once    sync.Once
	news    chan struct{} // one slot: its stream is to look
	why     string

	announced time.Time
	answered  time.Time
	reachable bool
	freeSlots int
	held      map[string]piece.Bitmap
	wants     map[string]*want
	failures  []failure
	trips     map[string]time.Duration // measured by this peer, to others
}

// failure is one upload that a child reported as failed.
type failure struct {
	child string
	at    time.Time
}

// want is one download under way on a peer.
type want struct {
	*pb.Want
	// source: this peer was sent to the origin, so that others can follow it.
	source     bool
	progressed time.Time
	sent       string
}

func newRecord(host *pb.Host, session string, reachable bool) *record {
	now := time.Now()
	return &record{
		host: host, session: session, gone: make(chan struct{}), news: make(chan struct{}, 1),
		announced: now, answered: now, reachable: reachable, freeSlots: 1,
		held: map[string]piece.Bitmap{}, wants: map[string]*want{}, trips: map[string]time.Duration{},
	}
}

// expired says why a record has run out, or "".
func (r *record) expired(now time.Time, lease time.Duration) string {
	switch {
	case now.Sub(r.announced) > lease:
		return fmt.Sprintf("no announcement within the lease of %s", lease)
	case now.Sub(r.answered) > lease:
		return fmt.Sprintf("%s:%d did not answer within the lease of %s", r.host.GetIp(), r.host.GetGrpcPort(), lease)
	}
	return ""
}

// left says whether the peer was dropped. A select that finds a tick as well may choose
// the tick.
func (r *record) left() bool {
	select {
	case <-r.gone:
		return true
	default:
		return false
	}
}

// blamers counts the children with a failure that is not yet forgiven. One child
// with a broken link of its own must not take a parent from all others.
func (r *record) blamers() int {
	children := map[string]bool{}
	for _, f := range r.failures {
		children[f.child] = true
	}
	return len(children)
}

// recentFailures forgets what is forgiven and counts the rest.
func (r *record) recentFailures(now time.Time, age time.Duration) int {
	for len(r.failures) > 0 && now.Sub(r.failures[0].at) > age {
		r.failures = r.failures[1:]
	}
	return len(r.failures)
}

// failed says whether child reported a failure that is not yet forgiven.
func (r *record) failed(child string, now time.Time, age time.Duration) bool {
	r.recentFailures(now, age)
	for _, f := range r.failures {
		if f.child == child {
			return true
		}
	}
	return false
}

// speaksWith says whether two peers understand each other: both speak with this
// supernode, but one may be a minor release before it and the other one after it.
func (r *record) speaksWith(other *record) bool {
	return swarm.Speak(r.host.GetProtocol(), other.host.GetProtocol())
}

func (r *record) candidate(task string, now time.Time, age time.Duration) parent.Candidate {
	r.recentFailures(now, age)
	return parent.Candidate{
		Name: r.host.GetName(), IDC: r.host.GetIdc(), Location: r.host.GetLocation(), Seed: r.host.GetSeed(),
		Reachable: r.reachable, FreeSlots: r.freeSlots, Failures: r.blamers(), Pieces: r.held[task].Count(),
	}
}

// drop takes a peer out of the swarm. The caller holds mu.
func (s *Supernode) drop(r *record, why string) {
	s.discount(r)
	r.once.Do(func() {
		r.why = why
		close(r.gone)
		for _, other := range s.peers {
			delete(other.trips, r.host.GetName())
		}
		s.log.Info("peer dropped", "peer", r.host.GetName(), "ip", r.host.GetIp(), "reason", why)
	})
}
