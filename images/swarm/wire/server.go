package wire

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/faultbed/faultbed/images/swarm/timers"
)

// minKeepalive is the shortest keepalive period that grpc-go grants a client.
const minKeepalive = 10 * time.Second

// NewServer makes a gRPC server with health and reflection on it, which tells who it is.
func NewServer(profile timers.Profile, who Identity) *grpc.Server {
	server := grpc.NewServer(
		who.tell(),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minKeepalive / 2, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: max(profile.Lease, minKeepalive), Timeout: profile.StallTimeout}),
		grpc.WaitForHandlers(true),
		grpc.ConnectionTimeout(profile.DialTimeout+profile.RPCTimeout),
	)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	reflection.RegisterV1(server)
	return server
}
