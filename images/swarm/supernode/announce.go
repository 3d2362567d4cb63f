package supernode

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// errUnknownPeer answers a peer whose registration this supernode does not know (any more).
var errUnknownPeer = errors.New("unknown peer, register again")

// Announce is the long stream of one peer: heartbeats and held pieces up, active
// peers and directions to parents down.
func (s *Supernode) Announce(stream grpc.BidiStreamingServer[pb.Announcement, pb.Guidance]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	s.mu.Lock()
	r := s.peers[first.GetName()]
	s.mu.Unlock()
	if r == nil || r.session != first.GetSession() {
		return cause.Refuse(codes.NotFound, s.cfg.Hostname, fmt.Errorf("%w: %s: %w", cause.ErrBadAnswer, first.GetName(), errUnknownPeer))
	}
	s.log.Info("announce", "peer", first.GetName(), "ip", r.host.GetIp())
	s.apply(r, first)
	ended := make(chan struct{})
	s.work.Go(func() {
		defer close(ended)
		for {
			up, err := stream.Recv()
			if err != nil {
				return
			}
			s.apply(r, up)
		}
	})
	return s.guide(r, stream, ended)
}

// guide sends a peer what it needs to know, at each change and at each heartbeat.
func (s *Supernode) guide(r *record, stream grpc.BidiStreamingServer[pb.Announcement, pb.Guidance], ended <-chan struct{}) error {
	ticker := time.NewTicker(s.cfg.Profile.Heartbeat)
	defer ticker.Stop()
	var sentPeers []*pb.Host
	beat, first := true, true
	for {
		s.mu.Lock()
		down := &pb.Guidance{Directions: s.directionsFor(r)}
		if others := s.roster.othersOf(r); first || !slices.Equal(others, sentPeers) {
			sentPeers, down.PeersChanged, down.Peers = others, true, others
		}
		var changed <-chan struct{}
		if len(r.wants) > 0 { // who wants nothing need not hear of all that moves
			changed = s.changed
		}
		s.mu.Unlock()
		if beat || down.GetPeersChanged() || len(down.GetDirections()) > 0 {
			if err := stream.Send(down); err != nil {
				return err
			}
		}
		beat, first = false, false
		select {
		case <-changed:
		case <-r.news:
		case <-ticker.C:
			beat = true
		case <-ended:
			return nil
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-s.ctx.Done():
			return status.Error(codes.Unavailable, "supernode stops")
		case <-r.gone:
			return cause.Refuse(codes.NotFound, s.cfg.Hostname,
				fmt.Errorf("%w: %s was dropped (%s): %w", cause.ErrBadAnswer, r.host.GetName(), r.why, errUnknownPeer))
		}
	}
}

// apply takes in one announcement.
func (s *Supernode) apply(r *record, up *pb.Announcement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r.announced = now
	r.freeSlots = int(up.GetFreeSlots())
	for _, h := range up.GetHeld() {
		s.applyHeld(r, h, now)
	}
	for _, id := range up.GetSettled() {
		delete(r.wants, id)
	}
	for _, w := range up.GetWants() {
		if piece.TaskID(w.GetUrl(), w.GetDigest()) != w.GetTask() {
			continue
		}
		if r.wants[w.GetTask()] == nil {
			r.wants[w.GetTask()] = &want{Want: w, progressed: now, sent: "never"}
			s.log.Info("task wanted", "peer", r.host.GetName(), "task", w.GetTask(), "url", w.GetUrl())
		}
		s.taskOf(w.GetTask(), w.GetUrl(), w.GetDigest())
	}
	for _, t := range up.GetTransfers() {
		s.applyTransfer(r, t, now)
	}
	if len(up.GetWants()) > 0 {
		r.ring()
	}
	for _, trip := range up.GetRoundTrips() {
		if s.peers[trip.GetPeer()] != nil && trip.GetMicroseconds() > 0 {
			r.trips[trip.GetPeer()] = time.Duration(min(trip.GetMicroseconds(), maxTrip.Microseconds())) * time.Microsecond
		}
	}
	if len(up.GetHeld())+len(up.GetWants())+len(up.GetSettled())+len(up.GetTransfers()) > 0 {
		s.wake()
	}
}

func (s *Supernode) applyHeld(r *record, h *pb.Held, now time.Time) {
	id := h.GetTask().GetId()
	if h.GetDropped() {
		delete(r.held, id)
		return
	}
	if piece.TaskID(h.GetTask().GetUrl(), h.GetTask().GetDigest()) != id {
		return
	}
	t := s.taskOf(id, h.GetTask().GetUrl(), h.GetTask().GetDigest())
	t.learn(h.GetTask(), r.host.GetSeed())
	if layoutOf(t.Task) != layoutOf(h.GetTask()) {
		delete(r.held, id) // of another file than the others have under this URL
		return
	}
	r.held[id] = piece.Bitmap(h.GetPieces()).Fit(t.pieces())
	if w := r.wants[id]; w != nil {
		w.progressed = now
	}
}

// applyTransfer counts a failed upload against the parent; a success forgives all.
func (s *Supernode) applyTransfer(child *record, t *pb.Transfer, now time.Time) {
	p := s.peers[t.GetParent()]
	if p == nil {
		return
	}
	if t.GetOk() {
		p.failures = nil
		return
	}
	p.failures = append(p.failures[max(0, len(p.failures)+1-maxFailures):], failure{child: child.host.GetName(), at: now})
	s.log.Warn("upload failed", "parent", t.GetParent(), "child", child.host.GetName(), "task", t.GetTask(),
		"cause", t.GetCause(), "failures", len(p.failures))
}

// maxFailures is how many failures of one peer are kept.
const maxFailures = 256

// maxTrip is the longest round trip that is told from others; calls do not last that long.
const maxTrip = time.Minute
