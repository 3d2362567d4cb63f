package dragonfly

import (
	"regexp"
	"slices"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
)

// Steps that the reference swarm does not have.
const (
	stepManager      diag.Step = "manager"        // ask the manager for schedulers or seeds
	stepStorage      diag.Step = "storage"        // put what was fetched on disk
	stepBackToSource diag.Step = "back to source" // a scheduler's order
	stepOpen         diag.Step = "open"           // a file or a socket, of whatever purpose
)

// causeOrdered is why a daemon goes to the origin although it did not fail to.
const causeOrdered cause.Cause = "ordered"

// pattern is one line of a log that tells of a failed connection, or of what follows.
type pattern struct {
	step diag.Step
	// source is the file that logs the line, if the message alone could be another's.
	source string
	// message has up to three groups: target, port, and error.
	message *regexp.Regexp
	// cause stands, whatever the error's text is like.
	cause cause.Cause
	// port completes a target that is logged without.
	port int
}

// patterns are the lines that all releases have in common.
var patterns = []pattern{
	// client/daemon/peer/peertask_conductor.go
	{step: diag.Register, message: regexp.MustCompile(`^step 1: peer \S+ register failed: (?P<error>.*)`), port: SchedulerPort},
	{step: diag.Register, message: regexp.MustCompile(`^reregister to scheduler error: (?P<error>.*)`), port: SchedulerPort},
	{step: diag.List, message: regexp.MustCompile(`^receive peer packet failed: (?P<error>.*)`), port: SchedulerPort},
	{step: diag.List, message: regexp.MustCompile(`^start download from source due to (?P<error>wait first peer packet from scheduler timeout)`), cause: cause.TimedOut},
	{step: stepBackToSource, message: regexp.MustCompile(`^(?P<error>receive back source code)`), cause: causeOrdered},
	{step: diag.Origin, message: regexp.MustCompile(`^download from source error: (?P<error>.*)`), port: originPort},
	{step: stepStorage, message: regexp.MustCompile(`^register task to storage manager failed: (?P<error>.*)`)},
	// client/daemon/announcer/announcer.go: the error alone, or after some words the first
	// time, when it means nothing if no scheduler is known yet.
	{step: diag.Announce, source: "announcer/announcer.go", message: regexp.MustCompile(`^(?:announce for the first time failed: )?(?P<error>(?:rpc error: |open ).*)`), port: SchedulerPort},
	{step: diag.Announce, source: "announcer/announcer.go", message: regexp.MustCompile(`^(?P<error>invalid hashring)`), cause: cause.Unreachable},
	// client/daemon/peer/peertask_piecetask_synchronizer.go: a peer's id begins with its
	// address, without a port.
	{step: diag.List, message: regexp.MustCompile(`^connect peer (?P<target>[0-9.]+)-\S+ error: (?P<error>.*)`), port: GRPCPort},
	{step: diag.Piece, message: regexp.MustCompile(`^(?P<error>watch sync pieces timeout, .*)`), cause: cause.Stalled},
	// client/daemon/peer/piece_downloader.go and piece_manager.go
	{step: diag.Piece, message: regexp.MustCompile(`^task id: \S+, piece num: \d+, dst: (?P<target>\S+), download piece failed: (?P<error>.*)`)},
	{step: diag.Piece, message: regexp.MustCompile(`^put piece to storage failed, piece num: \d+, wrote: \d+, error: (?P<error>.*(?:deadline exceeded|timeout).*)`), cause: cause.Stalled},
	// internal/dynconfig/dynconfig.go, of schedulers and daemons
	{step: stepManager, source: "dynconfig/dynconfig.go", message: regexp.MustCompile(`^reload failed (?P<error>(?:rpc error: |open ).*)`), port: ManagerPort},
	// scheduler/service/service_v1.go and scheduler/config/dynconfig.go; the address is
	// left out by mistake.
	{step: diag.Seed, message: regexp.MustCompile(`^trigger seed peer failed: (?P<error>.*)`), port: GRPCPort},
	{step: diag.Seed, message: regexp.MustCompile(`^seed peer (?:ip|host) address (?P<target>\S*) is unreachable: (?P<error>.*)`), port: GRPCPort},
	{step: diag.Seed, message: regexp.MustCompile(`^seed peer (?P<target>\S+) \S+ (?P<port>\d+) (?P<error>has not reachable addresses)`), cause: cause.Unreachable},
	{step: diag.Seed, message: regexp.MustCompile(`^(?P<error>can not find seed host id: .*)`), cause: cause.Unreachable},
	// Go's own HTTP server and gRPC's, in any program.
	{step: diag.Accept, message: regexp.MustCompile(`(?P<error>accept \S+ (?P<target>\S+): accept4?: too many open files)`)},
}

// byHostName are the lines of releases that try a scheduler's host name when its address
// does not answer: client/config/dynconfig_manager.go:127-142 at v2.2.1.
var byHostName = []pattern{
	{step: diag.Check, message: regexp.MustCompile(`^scheduler (?:ip|host) address (?P<target>\S*) is unreachable: (?P<error>.*)`), port: SchedulerPort},
	{step: diag.Check, message: regexp.MustCompile(`^scheduler (?P<target>\S+) \S+ (?P<port>\d+) (?P<error>has not reachable addresses)`), cause: cause.Unreachable},
}

// byAddress are those of releases that try the address only: the same file, :130 at v2.3.0.
var byAddress = []pattern{
	{step: diag.Check, message: regexp.MustCompile(`^scheduler (?P<target>\S+:\d+) is unreachable: (?P<error>.*)`), port: SchedulerPort},
}

// exhausted is what any line may end with, one that ends the program too.
var exhausted = []pattern{
	{step: stepOpen, message: regexp.MustCompile(`(?P<error>(?:\S+ )*\S+: too many open files)`)},
}

// with returns the common patterns and more.
func with(more []pattern) []pattern { return slices.Concat(patterns, more, exhausted) }
