package dragonfly

import (
	"fmt"
	"time"
)

// profile is a set of timers. What is zero is not written, and so is the release's
// default.
type profile struct {
	name string
	// redisTTL and localTTL are how long a manager answers from its two caches.
	redisTTL, localTTL time.Duration
	// schedulerRefresh is how often a scheduler asks the manager for seeds,
	// daemonRefresh how often a daemon asks it for schedulers.
	schedulerRefresh, daemonRefresh time.Duration
	// keepAlive is the pace of the streams by which a manager knows what is active.
	keepAlive time.Duration
	// retryInterval is a scheduler's pace of looking for parents, backToSource after
	// how many looks it orders a peer to the origin, and retryLimit when it gives up.
	retryInterval            time.Duration
	backToSource, retryLimit int
	// announce is how often a daemon announces its host.
	announce time.Duration
	// schedule bounds the wait for a scheduler: a register call, and then the first
	// answer with parents.
	schedule time.Duration
	// dial bounds a daemon's gRPC connect to a parent.
	dial time.Duration
	// piece bounds a piece, watchdog the time without a new one.
	piece, watchdog time.Duration
	// seedTask bounds what a scheduler has a seed do.
	seedTask time.Duration
}

// fast has the shortest timers with which the releases were seen to work, and those
// that bound a failure as short as the slowest download of a scenario allows.
var fast = profile{
	name: "fast",
	// A TTL below one second is rounded up by the manager's Redis client.
	redisTTL: time.Second,
	localTTL: 100 * time.Millisecond,
	// A node is active only after the first beat.
	keepAlive:        100 * time.Millisecond,
	schedulerRefresh: time.Second,
	daemonRefresh:    time.Second,
	announce:         time.Second,
	// As long together as the 4 times 500 ms of the defaults: a seed needs that to begin.
	retryInterval: 100 * time.Millisecond,
	backToSource:  20,
	retryLimit:    25,
	schedule:      10 * time.Second,
	dial:          3 * time.Second,
	// A piece has 4 MiB: 10 s are 400 KiB/s.
	piece:    10 * time.Second,
	watchdog: 10 * time.Second,
	seedTask: time.Minute,
}

// production leaves every timer to the release.
var production = profile{name: "production"}

func profileNamed(name string) (profile, error) {
	for _, p := range []profile{fast, production} {
		if p.name == name {
			return p, nil
		}
	}
	return profile{}, fmt.Errorf("profile %q: unknown; use fast or production", name)
}
