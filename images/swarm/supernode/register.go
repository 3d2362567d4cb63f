package supernode

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// Refused is a peer that asked to register and was not taken.
type Refused struct {
	Name    string    `json:"name"`
	IP      string    `json:"ip"`
	Release string    `json:"release"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// Register takes a peer into the swarm, once it has been called back: a peer that
// nobody can call is not in the swarm.
func (s *Supernode) Register(ctx context.Context, req *pb.RegisterRequest) (*pb.RegisterReply, error) {
	host := req.GetHost()
	if host.GetName() == "" || net.ParseIP(host.GetIp()) == nil {
		return nil, cause.Refuse(codes.InvalidArgument, s.cfg.Hostname,
			fmt.Errorf("%w: a peer must state its name and ip, got %q and %q", cause.ErrBadAnswer, host.GetName(), host.GetIp()))
	}
	if err := swarm.CheckProtocol("supernode", s.can, "peer", host.GetRelease(), host.GetProtocol()); err != nil {
		s.refuse(host, err)
		return nil, cause.Refuse(codes.FailedPrecondition, s.cfg.Hostname, err)
	}
	if s.holds(host.GetName(), req.GetSessions()) {
		return nil, cause.Refuse(codes.AlreadyExists, s.cfg.Hostname,
			fmt.Errorf("%w: peer %s is registered here already: two names lead to supernode %s", cause.ErrBadAnswer, host.GetName(), s.cfg.Hostname))
	}
	target := net.JoinHostPort(host.GetIp(), strconv.Itoa(int(host.GetGrpcPort())))
	conn, err := s.network.Dial(target)
	if err != nil {
		return nil, cause.Refuse(codes.Internal, target, err)
	}
	reachable := make(chan bool, 1)
	s.work.Go(func() { reachable <- s.proxyAnswers(host, 1) == nil }) //nolint:contextcheck // the supernode's own work, under its own limit
	callCtx, cancel := context.WithTimeout(ctx, s.cfg.Profile.CheckTimeout)
	defer cancel()
	if err := conn.Check(callCtx); err != nil {
		s.reporter.Failed(diag.Check, target, host.GetIp(), 1, err)
		_ = conn.Close()
		why := fmt.Errorf("peer %s at %s cannot be called back: %w", host.GetName(), target, err)
		s.refuse(host, why)
		return nil, cause.Refuse(codes.FailedPrecondition, target, why)
	}
	r := newRecord(host, rand.Text(), <-reachable)

	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.peers[host.GetName()]; old != nil {
		r.failures = old.failures
		s.drop(old, "registered again")
	}
	s.count(r)
	delete(s.refused, host.GetName())
	s.work.Go(func() { s.watch(r, conn) }) //nolint:contextcheck // a registration outlives the call that made it
	s.log.Info("peer register", "peer", host.GetName(), "ip", host.GetIp(), "peer_release", host.GetRelease(),
		"protocol", host.GetProtocol(), "seed", host.GetSeed(), "reachable", r.reachable, "count", len(s.peers))
	return &pb.RegisterReply{
		Session: r.session, Release: s.can.Release, Protocol: s.can.Protocol, Peers: s.roster.othersOf(r), Name: s.cfg.Hostname,
	}, nil
}

// holds says whether the peer of that name is here under one of the sessions.
func (s *Supernode) holds(name string, sessions []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.peers[name]
	return r != nil && slices.Contains(sessions, r.session)
}

func (s *Supernode) refuse(host *pb.Host, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[host.GetName()] = Refused{host.GetName(), host.GetIp(), host.GetRelease(), why.Error(), time.Now().UTC()}
	s.log.Warn("peer refused", "peer", host.GetName(), "ip", host.GetIp(), "peer_release", host.GetRelease(), "reason", why.Error())
}

// Leave takes a peer out at its own wish.
func (s *Supernode) Leave(_ context.Context, req *pb.LeaveRequest) (*pb.LeaveReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.peers[req.GetName()]; r != nil && r.session == req.GetSession() {
		s.drop(r, "left")
	}
	return &pb.LeaveReply{}, nil
}
