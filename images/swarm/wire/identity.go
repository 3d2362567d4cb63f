package wire

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Identity is the release and the protocol of a node.
type Identity struct{ Release, Protocol string }

// Keys of the header in which a server tells its identity with every answer to a unary
// call, so that whoever asks for its health learns it, too.
const (
	releaseKey  = "swarm-release"
	protocolKey = "swarm-protocol"
)

// tell makes a server put its identity into the header of its answers.
func (i Identity) tell() grpc.ServerOption {
	header := metadata.Pairs(releaseKey, i.Release, protocolKey, i.Protocol)
	return grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		_ = grpc.SetHeader(ctx, header) // it fails only when the answer is on its way
		return handle(ctx, req)
	})
}

// Identify asks the far end's health service who it is. The question is as many bytes
// long as pad says: the service of that name is not known, which is an answer.
func (c *Conn) Identify(ctx context.Context, pad string) (Identity, error) {
	var header metadata.MD
	_, err := grpc_health_v1.NewHealthClient(c.ClientConn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: pad}, grpc.Header(&header))
	if err != nil && (pad == "" || status.Code(err) != codes.NotFound) {
		return Identity{}, c.Explain(err)
	}
	first := func(key string) string {
		if values := header.Get(key); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	return Identity{first(releaseKey), first(protocolKey)}, nil
}
