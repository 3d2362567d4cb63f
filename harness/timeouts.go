package harness

import (
	"os"
	"time"
)

// Deadlines of the harness itself. None of them bounds the system under test: those
// follow from its own timers, see Bed.Bounds. They only have to be long enough for
// a busy machine with two cores, and short enough to end a run that hangs.
const (
	// SessionStart bounds the start of faultd.
	SessionStart = 60 * time.Second
	// attachWithin bounds the way to a faultd that has answered before.
	attachWithin = 10 * time.Second
	// BedStart bounds the start of all containers of a bed with their steering.
	BedStart = 90 * time.Second
	// BedStop bounds healing, evidence and removal at the end of a scenario.
	BedStop = 90 * time.Second
	// StopGrace is what a node that is replaced gets to leave, before it is killed.
	StopGrace = 10 * time.Second
	// Observation bounds one look at a node or a ledger.
	Observation = 5 * time.Second
	// Examination bounds a look of a peer's doctor, which has a limit of its own: 13 s with
	// fast timers, 34 s with those of production.
	Examination = 45 * time.Second
	// Poll is the pace of every wait for an observable.
	Poll = 100 * time.Millisecond
	// dumpWithin is what all nodes of a red scenario get to say where their goroutines
	// stand: one that is paused never does.
	dumpWithin = 3 * time.Second
	// SampleEvery is the pace at which a bed's ledger is looked at for the report: fine
	// enough to show a download of two seconds. With several beds on two cores each look at
	// a proxy's metrics is felt.
	SampleEvery = 500 * time.Millisecond
	// CountEvery is the pace at which supernodes are asked for the report whom they count.
	CountEvery = time.Second
	// Lease is how long faultd waits for a sign of life from the harness. That a killed one
	// is dead it learns at once, by the end of the connection; a living one has gone without
	// a beat for 5 s on two cores with a load of 20.
	Lease = 8 * time.Second
	// yieldWithin is how long a faultd that has given the session up gets to remove it.
	yieldWithin = 30 * time.Second
	// gatePoll is the pace at which a control API is asked whether it is up.
	gatePoll = 20 * time.Millisecond
)

// Spec bounds a whole scenario: the real Dragonfly takes tens of seconds to come together
// and to turn to another source, and with the timers of production some ten minutes.
var Spec = specWithin(os.Getenv("FAULTBED_PROFILE"))

func specWithin(profile string) time.Duration {
	if profile == "production" {
		return time.Hour
	}
	return 10 * time.Minute
}
