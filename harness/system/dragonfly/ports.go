package dragonfly

import (
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Ports of a Dragonfly deployment. All but the origin's are its defaults, set explicitly:
// a daemon told nothing takes the next free port when its own is taken.
const (
	SchedulerPort   = 8002  // register, announce
	GRPCPort        = 65000 // lists of pieces, for children and schedulers
	ProxyPort       = 65001 // HTTP proxy
	UploadPort      = 65002 // pieces
	ManagerPort     = 65003 // schedulers and seeds register, daemons ask for schedulers
	ManagerRESTPort = 8080
	databasePort    = 3306
	cachePort       = 6379
	metricsPort     = 8000 // of manager, scheduler and daemon
	originPort      = 80
)

// Ports implements system.System.
func (s *System) Ports(role topology.Role) []system.Port {
	const (
		supernode, seed, peer, manager = topology.Supernode, topology.Seed, topology.Peer, topology.Manager
		health                         = "/healthy"
	)
	clients := func(roles ...topology.Role) []topology.Role { return roles }
	switch role {
	case supernode:
		return []system.Port{{Number: SchedulerPort, Name: "scheduler", Protocol: "grpc", Clients: clients(seed, peer, manager)}}
	case seed, peer:
		return []system.Port{
			{Number: GRPCPort, Name: "grpc", Protocol: "grpc", Clients: clients(supernode, seed, peer)},
			// What does not ask the proxy for another host's file is meant for a
			// registry's mirror, of which there is none: 404 at once.
			{Number: ProxyPort, Name: "proxy", Protocol: "http", Health: health, Clients: clients(seed, peer)},
			// The upload server's own metrics are the one long answer that it gives
			// without a task: over 16 KiB in all releases, whatever number is asked for.
			{Number: UploadPort, Name: "upload", Protocol: "http", Health: health, Bulk: "/metrics?bytes=%d", Content: true, Clients: clients(seed, peer)},
		}
	case manager:
		return []system.Port{
			{Number: ManagerPort, Name: "manager", Protocol: "grpc", Clients: clients(supernode, seed, peer)},
			{Number: ManagerRESTPort, Name: "rest", Protocol: "http", Health: health, Clients: clients(supernode, seed, peer)},
		}
	case topology.Database:
		// The server speaks first.
		return []system.Port{{Number: databasePort, Name: "database", Protocol: "tcp", Clients: clients(manager)}}
	case topology.Cache:
		return []system.Port{{Number: cachePort, Name: "cache", Protocol: "tcp", Hello: "PING\r\n", Clients: clients(manager, supernode)}}
	case topology.Origin:
		return []system.Port{{Number: originPort, Name: "origin", Protocol: "http", Health: health, Bulk: "/probe?bytes=%d", Content: true}}
	}
	return nil
}
