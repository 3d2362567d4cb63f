package fault

import (
	"context"
	"net/netip"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Target is the part of a bed that faults act on. Containers are named by node name
// towards the target and by id towards the agent.
type Target interface {
	// Edges lists every directed link of the bed.
	Edges() []Edge
	// Listener is where the link's packets towards the server arrive: the proxy's
	// container and the listener's port there.
	Listener(Edge) (container string, port uint16)
	// Destination is what the client dials.
	Destination(Edge) netip.AddrPort
	// Address is a node's.
	Address(node string) netip.Addr
	// Speaks says what the link's server can be asked.
	Speaks(Edge) Speech
	// Container is the id of a node's container.
	Container(node string) string
	// Store is the folder where a node keeps pieces, if it has a disk of its own.
	Store(node string) (folder string, ok bool)
	// Lacks says why the kernel cannot do something; "" if it can.
	Lacks(capability string) string
	// Look probes links from their clients' namespaces, in parallel.
	Look(context.Context, []Look) ([]history.Reading, error)
	Kernel() Kernel
	Streams() Streams
	Processes() Processes
}

// Speech is what a server can be asked.
type Speech struct {
	Protocol string // http, grpc, or tcp: it talks, more is not known
	Bulk     bool   // it gives long answers
}

// Kernel is what faults need of the agent in the containers' namespaces.
type Kernel interface {
	Packets
	Rates
	Resolvers
	Descriptors
	Disks
}

// Packets are rules for them, and what interfaces do to them.
type Packets interface {
	AddRules(ctx context.Context, owner string, rules []agent.Rule) error
	RemoveRules(ctx context.Context, owner string) error
	Counters(ctx context.Context, owner string) ([]agent.Count, error)
	Offload(ctx context.Context, owner string, containers []string) error
	RestoreOffload(ctx context.Context, owner string) error
	SetMTU(ctx context.Context, container string, mtu int) (previous int, err error)
	ForgetPaths(ctx context.Context, containers []string) error
	Facts(ctx context.Context, container string) (agent.Facts, error)
}

// Rates are bounds of what links carry.
type Rates interface {
	Shape(ctx context.Context, owner string, rates []agent.Rate) error
	Unshape(ctx context.Context, owner string) error
	Shaped(ctx context.Context, owner string) ([]agent.Flow, error)
}

// Resolvers answer for names.
type Resolvers interface {
	SpoofNames(ctx context.Context, owner string, containers []string, s agent.Spoof) error
	RestoreNames(ctx context.Context, owner string) error
	Asked(ctx context.Context, owner string) (uint64, error)
}

// Descriptors are those of the containers' main processes.
type Descriptors interface {
	Descriptors(ctx context.Context, container string) (agent.Descriptors, error)
	LimitDescriptors(ctx context.Context, container string, soft uint64) (previous uint64, err error)
	Hog(ctx context.Context, owner, container string, target netip.AddrPort, connections int) error
	Unhog(ctx context.Context, owner string) error
	Hogged(ctx context.Context, owner string) (open int, err error)
}

// Disks are the file systems of containers.
type Disks interface {
	Fill(ctx context.Context, owner, container, folder string, spare uint64) error
	Unfill(ctx context.Context, owner string) error
	Disk(ctx context.Context, container, folder string) (size, free uint64, err error)
}

// Streams is what faults need of toxiproxy.
type Streams interface {
	Add(ctx context.Context, link, name string, t toxic.Toxic) error
	Remove(ctx context.Context, link, name string) error
}

// Processes is what faults need of the containers' life.
type Processes interface {
	Pause(ctx context.Context, node string) error
	Unpause(ctx context.Context, node string) error
	Kill(ctx context.Context, node string) error
	// Start starts a killed node again and lets it through its gate.
	Start(ctx context.Context, node string) error
	// Stop asks the node's process to end, and kills it after a while.
	Stop(ctx context.Context, node string) error
	// Runs says whether the node's first process lives and is not paused, Since when it
	// was started.
	Runs(ctx context.Context, node string) (bool, error)
	Since(ctx context.Context, node string) (time.Time, error)
	// Limit changes what the node's processes may use and says what that was. A zero
	// field is left as it is; a negative one is no limit.
	Limit(ctx context.Context, node string, l Limits) (previous Limits, err error)
	// Limits are those in force, what has none being negative, and Usage is what they do.
	Limits(ctx context.Context, node string) (Limits, error)
	Usage(ctx context.Context, node string) (Usage, error)
}

// Limits are those of a container's control group.
type Limits struct {
	CPUs        float64 // cores' worth of time, in each period of 100 ms
	MemoryBytes int64
}

// Usage is what a control group says of itself.
type Usage struct {
	Throttled   uint64 // periods in which the processes had to wait for the next one
	Periods     uint64 // periods in which they ran
	MemoryLimit uint64 // bytes
	MemoryUsed  uint64
}
