package dragonfly

import (
	"cmp"
	"time"

	"github.com/faultbed/faultbed/harness/system"
)

// What no configuration changes; the same in v2.1.0 to v2.3.0, lines are those of v2.2.1.
const (
	// watchInterval is how often daemons and schedulers look at what the manager told
	// them, and check each address again: client/config/dynconfig.go:44,
	// scheduler/config/dynconfig.go:54.
	watchInterval = 10 * time.Second
	// healthCheck bounds the check of one address: pkg/rpc/health/client/client.go:38.
	healthCheck = 2 * time.Second
	// rpcContext bounds a call to a scheduler: pkg/rpc/scheduler/client/constants.go:25.
	rpcContext = 2 * time.Minute
	// connectTimeout is what gRPC waits for one connection to come about, in grpc-go's
	// backoff.DefaultConfig, which no client sets otherwise.
	connectTimeout = 20 * time.Second
)

// defaults of v2.2.1; those of its neighbours are beside releases.
var defaults = profile{
	name:             "defaults",
	redisTTL:         5 * time.Minute,        // manager/config/constants.go:72
	localTTL:         3 * time.Minute,        // manager/config/constants.go:75
	schedulerRefresh: time.Minute,            // scheduler/config/constants.go:99
	daemonRefresh:    10 * time.Minute,       // client/config/peerhost_linux.go:39
	keepAlive:        5 * time.Second,        // scheduler/config/constants.go:107
	retryInterval:    500 * time.Millisecond, // scheduler/config/constants.go:70
	backToSource:     4,                      // scheduler/config/constants.go:64
	retryLimit:       5,                      // scheduler/config/constants.go:67
	announce:         30 * time.Second,       // client/config/constants.go:89
	schedule:         5 * time.Minute,        // client/config/constants.go:40
	dial:             10 * time.Second,       // client/config/peerhost_linux.go:59
	piece:            30 * time.Second,       // client/config/peerhost_linux.go:58
	watchdog:         30 * time.Second,       // client/config/peerhost_linux.go:60
	seedTask:         10 * time.Hour,         // scheduler/config/constants.go:112
}

// over returns p with what it leaves to the release.
func (p profile) over(d profile) profile {
	return profile{
		name:             p.name,
		redisTTL:         cmp.Or(p.redisTTL, d.redisTTL),
		localTTL:         cmp.Or(p.localTTL, d.localTTL),
		schedulerRefresh: cmp.Or(p.schedulerRefresh, d.schedulerRefresh),
		daemonRefresh:    cmp.Or(p.daemonRefresh, d.daemonRefresh),
		keepAlive:        cmp.Or(p.keepAlive, d.keepAlive),
		retryInterval:    cmp.Or(p.retryInterval, d.retryInterval),
		backToSource:     cmp.Or(p.backToSource, d.backToSource),
		retryLimit:       cmp.Or(p.retryLimit, d.retryLimit),
		announce:         cmp.Or(p.announce, d.announce),
		schedule:         cmp.Or(p.schedule, d.schedule),
		dial:             cmp.Or(p.dial, d.dial),
		piece:            cmp.Or(p.piece, d.piece),
		watchdog:         cmp.Or(p.watchdog, d.watchdog),
		seedTask:         cmp.Or(p.seedTask, d.seedTask),
	}
}

const (
	// slack is what bounds add for a machine with two busy cores.
	slack = 5 * time.Second
	// starting is the time from open gates to the last port: stores, manager, scheduler
	// and daemons start one behind the other, in 5 to 9 s on such a machine when idle.
	starting = 30 * time.Second
	// moving is the largest file, 64 MiB, at the worst rate of such a machine.
	moving = 30 * time.Second
	// checking is one round of a daemon or a scheduler over two peers that do not
	// answer, each by address and then by host name.
	checking = 2 * 2 * healthCheck
)

// Bounds implements system.System, for the release of topology.Stable.
func (s *System) Bounds() system.Bounds {
	r, err := like(s.version)
	if err != nil {
		return system.Bounds{} // New has refused such a release
	}
	t := s.profile.over(r.defaults)
	var (
		// active: a node's first beat, and the manager's two caches one over the other.
		active = t.keepAlive + t.redisTTL + t.localTTL
		// scheduler: a daemon's copy of the list grows old, its next look.
		scheduler = active + t.daemonRefresh + watchInterval
		// seed: the same of a scheduler's list of seeds, without asking what it asks for.
		seed = t.schedulerRefresh + watchInterval
		// parentless: a scheduler that finds no parent orders a peer to the origin.
		parentless = time.Duration(t.backToSource) * t.retryInterval
		// register: a call to a scheduler that does not answer.
		register = min(t.schedule, rpcContext)
	)
	// A parent is dead when it cannot be dialled; when it stalls within a piece the whole
	// piece must time out, and after its last one the watchdog; a scheduler that went
	// silent costs a register instead. Then the scheduler looks for another parent.
	fallback := max(register, t.piece+t.watchdog) + t.dial + parentless + slack
	return system.Bounds{
		// Daemons learn of their schedulers, are announced, the scheduler learns of the
		// seeds, and one file passes.
		Ready: starting + scheduler + seed + t.announce + parentless + slack,
		// No connection is watched: a silent one shows at the second round of checks at
		// the latest, a refusing one at the next announcement.
		Notice: t.announce + 2*watchInterval + checking + slack,
		// No timer drops a Go daemon: the collection of hosts asks for an interval that
		// only announcements of API v2 carry (scheduler/resource/standard/
		// host_manager.go:177). This is what its announcements would allow: three missed.
		Drop:     3*t.announce + watchInterval + slack,
		Fallback: fallback,
		// Failed parents are remembered per task only: the scheduler has to take the
		// seed's address up again, after a round of checks.
		Forgive: seed + watchInterval + checking + slack,
		// A connection that is being made when the network heals times out first; then
		// all is learnt anew, and announced.
		Rejoin:   connectTimeout + scheduler + seed + checking + t.announce + slack,
		Download: moving + 3*fallback,
		// It announces itself at one pace, whatever happens.
		RetryPauseLeast: t.announce, RetryPauseMost: t.announce + slack,

		// One request fetches a file of any size: download.concurrent is off.
		// The default of a task's back-to-source peers: scheduler/config/constants.go:61.
		OriginPeers: 200, OriginSpan: 64 << 20, OriginRequest: 512,
	}
}
