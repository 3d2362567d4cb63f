//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/kernel"
)

const (
	// largestMessage bounds a request and an answer: Fetch's body of 8 MiB.
	largestMessage = 9 << 20
	// settleWithin is what an engine gets to end what it was asked for by a process that
	// is dead, so that what it still makes is there to be removed.
	settleWithin = 2 * time.Second
	// pingsEvery is the shortest interval of keepalive pings that a client may
	// choose; package agent's is twice that.
	pingsEvery = 5 * time.Second
)

// service answers the harness. Its methods convert and delegate: what happens
// in a kernel is package kernel's business.
type service struct {
	agentpb.UnimplementedAgentServer
	session  string
	nodes    *nodes
	lease    *lease
	tenants  *tenants
	networks *networks
	rulebook kernel.Rulebook
	offloads kernel.Offloads
	shapes   kernel.Shapes
	hogs     kernel.Hogs
	fills    kernel.Fills
	spoofs   kernel.Spoofs
	captures captures
}

// newServer puts the service behind its guard.
func newServer(session, token string, engine engine, lease *lease, tenants *tenants, networks *networks) *grpc.Server {
	guard := newGuard(token, lease)
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(guard.unary),
		grpc.ChainStreamInterceptor(guard.stream),
		grpc.MaxRecvMsgSize(largestMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsEvery, PermitWithoutStream: true}),
	)
	agentpb.RegisterAgentServer(server, &service{session: session, nodes: newNodes(engine, session), lease: lease, tenants: tenants, networks: networks})
	return server
}

// Hello says that faultd is ready.
func (s *service) Hello(context.Context, *agentpb.HelloRequest) (*agentpb.HelloResponse, error) {
	return &agentpb.HelloResponse{Session: s.session}, nil
}

// Renew takes beats until the harness, or one process of it, goes.
func (s *service) Renew(stream grpc.ClientStreamingServer[agentpb.Beat, agentpb.RenewResponse]) error {
	beds, known := "", false
	for {
		beat, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			s.tenants.Leave(beds)
			return stream.SendAndClose(&agentpb.RenewResponse{})
		}
		if err != nil { // a process whose stream breaks is dead, or has given the session up
			if known && beds == "" {
				s.lease.Break(settleWithin)
			}
			s.tenants.Break(beds, settleWithin)
			return err
		}
		beds, known = beat.GetBeds(), true
		if s.lease.Over() || beds == "" && !s.lease.Renew() {
			return status.Error(codes.Unavailable, "faultd: the lease has run out, the session is being removed")
		}
		if beds != "" && !s.tenants.Renew(beds) {
			return status.Error(codes.Unavailable, "faultd: the lease of "+beds+" has run out, these beds are being removed")
		}
	}
}

// on finds a node and does something there.
func (s *service) on(ctx context.Context, id string, do func(*kernel.Namespace) error) error {
	namespace, err := s.nodes.Find(ctx, id)
	if err != nil {
		return refusal(err)
	}
	return refusal(do(namespace))
}

// refusal gives an error the code by which package agent knows it again.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if answer, ok := status.FromError(err); ok {
		return answer.Err()
	}
	code := codes.Unknown
	var senseless *kernel.InvalidError
	switch {
	case errors.As(err, &senseless):
		code = codes.InvalidArgument
	case errors.Is(err, errNotOurs), errors.Is(err, kernel.ErrGone):
		code = codes.FailedPrecondition
	case errors.Is(err, kernel.ErrOwnerExists):
		code = codes.AlreadyExists
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	return status.Error(code, err.Error())
}

// OpenGate lets a node's program start.
func (s *service) OpenGate(ctx context.Context, request *agentpb.OpenGateRequest) (*agentpb.OpenGateResponse, error) {
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error { return n.OpenGate(ctx) })
	return &agentpb.OpenGateResponse{}, err
}

// SetMTU changes a node's interface.
func (s *service) SetMTU(ctx context.Context, request *agentpb.SetMTURequest) (*agentpb.SetMTUResponse, error) {
	answer := &agentpb.SetMTUResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		previous, err := n.SetMTU(int(request.GetMtu()))
		answer.Previous = int32(previous)
		return err
	})
	return answer, err
}

// Descriptors reads a node's limits.
func (s *service) Descriptors(ctx context.Context, request *agentpb.DescriptorsRequest) (*agentpb.DescriptorsResponse, error) {
	answer := &agentpb.DescriptorsResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		state, err := n.Descriptors()
		answer.Numbers, answer.Open = state.Numbers, uint64(len(state.Numbers))
		answer.Soft, answer.Hard = state.Soft, state.Hard
		return err
	})
	return answer, err
}

// LimitDescriptors changes a node's soft limit.
func (s *service) LimitDescriptors(ctx context.Context, request *agentpb.LimitDescriptorsRequest) (*agentpb.LimitDescriptorsResponse, error) {
	answer := &agentpb.LimitDescriptorsResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) (err error) {
		answer.Previous, err = n.LimitDescriptors(request.GetSoft())
		return err
	})
	return answer, err
}

// HashFile reads a file of a node.
func (s *service) HashFile(ctx context.Context, request *agentpb.HashFileRequest) (*agentpb.HashFileResponse, error) {
	answer := &agentpb.HashFileResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) (err error) {
		answer.Sha256, answer.Size, err = n.HashFile(request.GetPath())
		if errors.Is(err, fs.ErrNotExist) {
			return status.Error(codes.NotFound, err.Error())
		}
		return err
	})
	return answer, err
}

// Facts reads what a fault may have left behind on a node.
func (s *service) Facts(ctx context.Context, request *agentpb.FactsRequest) (*agentpb.FactsResponse, error) {
	answer := &agentpb.FactsResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) error {
		facts, err := n.Facts()
		answer.Tables, answer.Mtu, answer.Offloads = facts.Tables, int32(facts.MTU), facts.Offloads
		answer.Soft, answer.Process, answer.Queue = facts.Soft, facts.Process, facts.Queue
		return err
	})
	return answer, err
}

// Capabilities says what a node's kernel can do.
func (s *service) Capabilities(ctx context.Context, request *agentpb.CapabilitiesRequest) (*agentpb.CapabilitiesResponse, error) {
	answer := &agentpb.CapabilitiesResponse{}
	err := s.on(ctx, request.GetNode(), func(n *kernel.Namespace) (err error) {
		answer.Capabilities, err = n.Capabilities()
		return err
	})
	return answer, err
}
