//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"

	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// dialChunk is how much of a connection travels in one message, in bytes.
const dialChunk = 32 << 10

// Dial carries one TCP connection that is opened inside a node's namespace. It ends
// with the connection or with the stream, whichever ends first.
func (s *service) Dial(stream grpc.BidiStreamingServer[agentpb.DialRequest, agentpb.DialResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(first.GetTarget())
	if err != nil {
		return invalid("dial: target: %v", err)
	}
	ctx := stream.Context()
	namespace, err := s.nodes.Find(ctx, first.GetNode())
	if err != nil {
		return refusal(err)
	}
	conn, err := namespace.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return refusal(err)
	}
	defer conn.Close() //nolint:errcheck // whoever wanted it has all of it
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := stream.Send(&agentpb.DialResponse{}); err != nil {
		return err
	}
	go func() {
		for {
			request, err := stream.Recv()
			if err == nil {
				_, err = conn.Write(request.GetData())
			}
			if err != nil {
				_ = conn.Close() // ends the loop below
				return
			}
		}
	}()
	buffer := make([]byte, dialChunk)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if err := stream.Send(&agentpb.DialResponse{Data: buffer[:n]}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return refusal(err)
		}
	}
}
