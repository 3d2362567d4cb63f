// Package system says what a system under test is: which images play which role, with
// which command, which ports they have, and how to ask them things. It starts nothing.
package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// System is a swarm that can be put on a bed.
type System interface {
	// Name is what SYSTEM= says.
	Name() string
	// Lacks says why scenarios with the label needs:<need> cannot apply; "" if they can.
	Lacks(need string) string
	// Furnish returns t with the nodes that the system needs beside those that scenarios
	// ask for.
	Furnish(t topology.Topology) topology.Topology
	// Release is what a release of a topology means here: "stable" may be "2.2.1".
	Release(named string) string
	// Ports are the TCP ports that a role listens on. Links exist for these.
	Ports(topology.Role) []Port
	// Container says what runs as node n of t.
	Container(t topology.Topology, n topology.Node) (Container, error)
	// Members are the peers that a supernode counts.
	Members(ctx context.Context, in Inside, supernode topology.Node) ([]Member, error)
	// Status is how a peer sees itself.
	Status(ctx context.Context, in Inside, peer topology.Node) (Status, error)
	// Download is the command that fetches url to path inside a peer's container, and
	// Claim reads what that command printed.
	Download(url, path, sha256 string, timeout time.Duration) []string
	Claim(stdout []byte) (Claim, error)
	// Diagnoses reads what a node's log says of connections that failed.
	Diagnoses(n topology.Node, log []byte) []Diagnosis
	// Bounds are what the system's own timers allow it.
	Bounds() Bounds
}

// Warming is a System whose seeds serve only some time after they are counted: a bed
// is ready when each seed has given a file to a peer.
type Warming interface {
	Warming() bool
}

// Profiled is a System whose nodes tell where their goroutines stand.
type Profiled interface {
	// Stacks is where a node tells it, inside; "" if it does not.
	Stacks(n topology.Node) (url string)
}

// Preheating is a System whose seeds can be made to fetch a file that nobody wants yet:
// the command to run in a seed's container, which ends when the seed has it.
type Preheating interface {
	Preheat(url, sha256 string) []string
}

// Gauged is a System whose nodes tell how many goroutines they run.
type Gauged interface {
	Goroutines(ctx context.Context, in Inside, node topology.Node) (int, error)
}

// Parting is a System whose clients can fetch a part of a file.
type Parting interface {
	// Part is the command that fetches length bytes of url from offset on to path.
	Part(url, path string, offset, length int64, timeout time.Duration) []string
}

// ErrNotCounted says that a system, or a release of it, does not count what is asked.
var ErrNotCounted = errors.New("not counted by this release")

// Witness is a System that counts itself where content came from: a second witness,
// which must agree with the ledger.
type Witness interface {
	// Counted is how many bytes of content a peer says it has fetched from the origin
	// since its start; of seeds and peers, where it tells them apart.
	Counted(ctx context.Context, in Inside, peer topology.Node) (history.From, error)
}

// Inside is a way into a node's network namespace that no link and so no fault lies on.
type Inside interface {
	// Get does an HTTP GET, of an address and not of a name.
	Get(ctx context.Context, node, url string) ([]byte, error)
	// Dial opens a TCP connection.
	Dial(ctx context.Context, node, address string) (net.Conn, error)
}

// Port is one TCP port of a role.
type Port struct {
	Number int
	Name   string
	// Protocol is what answers: http, grpc, or tcp: whatever talks after it got Hello.
	Protocol string
	Hello    string
	// Health is the path that answers shortly, Bulk the path that answers with at least
	// the number of bytes that replaces its %d; both for http only.
	Health, Bulk string
	// Content says that files pass here.
	Content bool
	// Clients are the roles that use the port; all if nil.
	Clients []topology.Role
}

// Container is what to run.
type Container struct {
	Image      string
	Entrypoint []string // of the image if nil
	Cmd        []string
	Env        map[string]string
	// Files are put into the container before it starts, by absolute path.
	Files map[string][]byte
	// Foreign says that the image knows nothing of the gate: it is put in, and the
	// program, Entrypoint and Cmd, starts behind it.
	Foreign bool
	// Store is the folder where it keeps pieces; empty if it keeps none.
	Store string
	// After are the roles whose nodes must listen before this one's program starts.
	After []topology.Role
}

// JSON gets url inside a node and decodes the answer into v.
func JSON(ctx context.Context, in Inside, node, url string, v any) error {
	body, err := in.Get(ctx, node, url)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode %s of %s: %w", url, node, err)
	}
	return nil
}

// Member is a peer as a supernode sees it.
type Member struct {
	Name      string
	Release   string
	Unnamed   bool // the supernode tells how many there are, not who: Name is made up
	Seed      bool
	Reachable bool // passes the connectivity check: may be a parent
}

// Status is a peer as it sees itself.
type Status struct {
	Registered bool
	Peers      []string // the other peers that it is connected to
}

// Diagnosis is one failed connection as a node's log explains it.
type Diagnosis struct {
	At      time.Time
	Step    string // register, announce, list, piece, origin, ...
	Target  string // host:port
	Cause   string // refused, timed out, no such host, ...
	Attempt int
	Error   string // the exact text
}

// Claim is what a download says of itself. It is never the verdict.
type Claim struct {
	OK    bool
	From  history.From
	Error string
}

// Bounds are upper limits that follow from a system's timers, for a machine that is
// not starved.
type Bounds struct {
	Ready    time.Duration // from open gates to everybody counted, and served
	Notice   time.Duration // until a node notices a link that went silent
	Drop     time.Duration // until a silent peer is no longer counted
	Fallback time.Duration // until a download has turned from dead parents to the next source
	Forgive  time.Duration // until a parent that failed is tried again after its cure
	Rejoin   time.Duration // from a healed network to the peer being counted again
	Download time.Duration // for the largest file of scenarios under a fault

	// What lies between two attempts to register in the long run, at least and at most.
	RetryPauseLeast, RetryPauseMost time.Duration

	OriginPeers   int64 // that may fetch one file from the origin at the same time
	OriginSpan    int64 // bytes that are fetched from the origin by one request, at least
	OriginRequest int64 // bytes that such a request takes, at most
}
