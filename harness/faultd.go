package harness

import (
	"context"
	"slices"

	"github.com/faultbed/faultbed/harness/cluster"
)

// faultdHost is faultd's place on its network; the engine's gateway has the first.
const faultdHost = 2

// faultdPort is where faultd serves inside its container.
const faultdPort = "50051/tcp"

// faultdCaps are faultd's capabilities, each with its reason. A test takes each away and
// sees what fails then.
var faultdCaps = []string{
	"NET_ADMIN",  // rules, offloads, MTU, wires in a node's network namespace
	"SYS_ADMIN",  // setns(2) into it, unshare(2) for a network
	"SYS_PTRACE", // open /proc/<pid>/ns and /proc/<pid>/root of a process that is not its child
}

// capturing are those of a faultd that also captures packets, which few runs want.
var capturing = append(slices.Clone(faultdCaps), "NET_RAW") // a packet socket

// faultd is the helper of a session, and the network that it has for itself: it is reached
// through its port on the host's loopback, and by no other container. On a network with
// others its token could be read on the way.
type faultd struct {
	*cluster.Node
	network cluster.Network
}

// startFaultd starts one with these capabilities and no others. What it returns is to be
// removed, also with an error.
func startFaultd(ctx context.Context, engine *cluster.Engine, h Handoff, caps []string) (faultd, error) {
	labels := map[string]string{cluster.LabelSession: h.ID, cluster.LabelRole: cluster.RoleFaultd}
	name := h.ID + "-faultd"
	network, err := engine.StartNetwork(ctx, name, labels)
	f := faultd{network: network}
	if err != nil {
		return f, err
	}
	f.Node, err = engine.Run(ctx, cluster.Spec{
		Name: name, Host: "faultd", Image: h.Images["faultd"],
		Env: map[string]string{
			"FAULTBED_SESSION": h.ID, "FAULTBED_TOKEN": h.Token, "FAULTBED_LEASE": Lease.String(),
		},
		Labels: labels, Publish: []string{faultdPort}, Network: network, Address: network.Address(faultdHost),
		HostPID: true, Caps: caps, Socket: "/var/run/docker.sock",
	})
	return f, err
}

func (f faultd) owns(id string) bool { return f.ID == id || f.network.ID == id }

// remove takes faultd away, and its network; what was never started is no error.
func (f faultd) remove(ctx context.Context, engine *cluster.Engine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), BedStop)
	defer cancel()
	if f.Node != nil {
		if err := engine.RemoveNode(ctx, f.ID); err != nil {
			return err
		}
	}
	if f.network.ID == "" {
		return nil
	}
	return engine.RemoveNetwork(ctx, f.network)
}
