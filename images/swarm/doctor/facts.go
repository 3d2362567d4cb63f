// Package doctor finds out why a peer is out of the swarm, or starves in it: it asks the
// daemon and everybody whom the daemon should reach, and says what is wrong and what
// cures it. Probing yields Facts, from which Judge, a pure function, makes findings.
package doctor

import (
	"fmt"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/daemon"
)

// Facts are what was measured, without an opinion.
type Facts struct {
	Release string
	Daemon  Daemon
	Own     Descriptors // of the doctor's process
	Names   []Name
	Ports   []Port
	Paths   []Path
}

// Daemon is what the peer's own daemon said.
type Daemon struct {
	Target      string
	Failed      Failed         // it did not answer
	Status      *daemon.Status // nil then
	Descriptors Descriptors
}

// Descriptors are open and allowed ones; zero if unknown.
type Descriptors struct{ Open, Limit uint64 }

// Name is the lookup of one host name.
type Name struct {
	Host      string
	Addresses []string
	Took      time.Duration
	Failed    Failed
}

// Port is one TCP port, and whether what should answer there does.
type Port struct {
	Target    string // host:port
	Node      string // whose it is, if a supernode told
	Role      string // supernode, seed or peer
	Use       string // grpc, proxy or pieces
	Unlisted  bool   // a seed that supernodes no longer name
	Connected bool
	Took      time.Duration
	Failed    Failed
	// Release and Protocol are what the node told of itself.
	Release, Protocol string
}

// Path is how long messages may be on the way to a node, or back.
type Path struct {
	Target, Node string
	Back         bool // from the node to here
	// Passed is the longest message that passed, Lost the shortest that did not, 0 if all did.
	Passed, Lost int
	Failed       Failed
}

// Failed is why something failed: nothing if it did not.
type Failed struct {
	Cause cause.Cause
	Text  string
}

func failed(err error) Failed {
	if err == nil {
		return Failed{}
	}
	return Failed{cause.Of(err), err.Error()}
}

func (f Failed) yes() bool { return f.Cause != "" }

func (f Failed) String() string { return fmt.Sprintf("%s (%s)", f.Cause, f.Text) }

// Result is what a finding amounts to.
type Result string

// The results. A warning is no reason to be out of the swarm.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Problem Result = "problem"
)

// Check is what was looked at.
type Check string

// The checks.
const (
	CheckDaemon      Check = "daemon"
	CheckRegistered  Check = "registered"
	CheckAnnounce    Check = "announce"
	CheckDNS         Check = "dns"
	CheckPort        Check = "port"
	CheckMTU         Check = "mtu"
	CheckVersion     Check = "version"
	CheckDescriptors Check = "descriptors"
)

// Finding is one row: what was checked, where and at whom, how that is, what was measured,
// and what cures it.
type Finding struct {
	Check  Check  `json:"check"`
	Target string `json:"target"`
	Node   string `json:"node,omitempty"`
	Result Result `json:"result"`
	Fact   string `json:"fact"`
	Cure   string `json:"cure,omitempty"`
}
