package supernode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/parent"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// trigger starts the next seed that could serve r, and says whether one is at it
// now. The caller holds mu.
func (s *Supernode) trigger(r *record, t *task, now time.Time) bool {
	if r.host.GetSeed() || now.Before(t.sourceUntil) {
		return false
	}
	seeds := s.cfg.SeedPeers
	if !s.can.SeedFallback && len(seeds) > 1 {
		seeds = seeds[:1]
	}
	for i, seed := range seeds {
		j := t.jobs[seed]
		if j != nil && j.state == jobActive && s.fresh(seed) {
			return true // it has only just been asked
		}
		if j != nil && j.state == jobActive || j != nil && j.state == jobFailed && now.Sub(j.ended) < s.cfg.Profile.SourceAgeOut {
			continue
		}
		if known := s.seedRecord(seed); known != nil && (known.failed(r.host.GetName(), now, s.cfg.Profile.FailureAgeOut) || !known.reachable ||
			!r.speaksWith(known) || known.blamers() >= parent.MaxFailures) {
			continue
		}
		j = &job{}
		t.jobs[seed] = j
		request := proto.CloneOf(&pb.Want{Task: t.GetId(), Url: t.GetUrl(), Digest: t.GetDigest()})
		s.work.Go(func() { s.obtain(seed, i+1, request, j) })
		return true
	}
	t.sourceUntil = now.Add(s.cfg.Profile.SourceAgeOut)
	return false
}

// fresh says whether a seed with an active job is not registered (yet), so that
// nobody can be sent to it; its job decides soon.
func (s *Supernode) fresh(seed string) bool { return s.seedRecord(seed) == nil }

func (s *Supernode) seedRecord(seed string) *record {
	for _, r := range s.peers {
		if isAt(r.host, seed) {
			return r
		}
	}
	return nil
}

// isAt says whether host serves gRPC at addr, by its name or its ip.
func isAt(host *pb.Host, addr string) bool {
	name, port, err := net.SplitHostPort(addr)
	return err == nil && port == strconv.Itoa(int(host.GetGrpcPort())) && (name == host.GetName() || name == host.GetIp())
}

// obtain runs one job to its end.
func (s *Supernode) obtain(seed string, attempt int, request *pb.Want, j *job) {
	s.log.Info("seed triggered", "seed", seed, "task", request.GetTask(), "url", request.GetUrl())
	ip, err := s.followSeed(seed, request)
	if s.ctx.Err() != nil {
		return
	}
	// Told before anybody acts on it, so that the log has the reason first.
	state := jobDone
	if err != nil {
		state = jobFailed
		s.reporter.Failed(diag.Seed, seed, ip, attempt, err)
	} else {
		s.log.Info("seed done", "seed", seed, "task", request.GetTask())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.state, j.ended = state, time.Now()
	s.wake()
}

// followSeed asks a seed for a task and listens until it has it. The first sign
// of life must come soon, and the others steadily.
func (s *Supernode) followSeed(seed string, request *pb.Want) (ip string, err error) {
	conn, err := s.network.Dial(seed)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	first := fmt.Errorf("no sign of life within %s: %w", s.cfg.Profile.SeedFirstByte, context.DeadlineExceeded)
	silence := time.AfterFunc(s.cfg.Profile.SeedFirstByte, func() { cancel(first) })
	defer func() { silence.Stop() }()
	explain := func(err error) error {
		if why := context.Cause(ctx); why != nil {
			return why
		}
		return conn.Explain(err)
	}
	stream, err := pb.NewPeerClient(conn).ObtainTask(ctx, &pb.ObtainRequest{
		Want: request, Release: s.can.Release, Protocol: s.can.Protocol,
	})
	if err != nil {
		return conn.IP(), explain(err)
	}
	for {
		progress, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return conn.IP(), fmt.Errorf("%w: the seed hung up before it was done", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return conn.IP(), explain(err)
		}
		silence.Stop()
		if progress.GetComplete() {
			return conn.IP(), s.registered(ctx, seed)
		}
		s.mu.Lock()
		joined := s.seedRecord(seed)
		s.mu.Unlock()
		if joined == nil && time.Now().After(s.warm) {
			return conn.IP(), errUnregistered
		}
		silence = time.AfterFunc(s.cfg.Profile.StallTimeout, func() { cancel(cause.ErrStalled) })
	}
}

// errUnregistered: nobody can be sent to a seed that is not in the swarm.
var errUnregistered = fmt.Errorf("%w: the seed answers, but is not registered", cause.ErrBadAnswer)

// registered waits for a seed that answers, as long as this supernode has only just
// started: the seed may come to it after those that it serves.
func (s *Supernode) registered(ctx context.Context, seed string) error {
	deadline := time.NewTimer(time.Until(s.warm))
	defer deadline.Stop()
	for {
		s.mu.Lock()
		joined, changed := s.seedRecord(seed), s.changed
		s.mu.Unlock()
		if joined != nil {
			return nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			return errUnregistered
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
