package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// plain is a topology as Docker alone runs it: the same images and commands on
// a network of their own, every gate open, no proxy and no steering.
type plain struct {
	session  *harness.Session
	system   system.System
	topology topology.Topology
	name     string
	network  cluster.Network
	nodes    map[string]*plainNode
}

type plainNode struct {
	id      string
	address netip.Addr
}

// firstHost is the first node's place on the network; the gateway has the first.
const firstHost = 10

// startPlain starts all containers in parallel and returns when the start calls have
// returned. Stop what it returns also with an error.
func (m *meter) startPlain(ctx context.Context, s system.System, t topology.Topology) (*plain, error) {
	name := m.name("plain")
	p := &plain{session: m.session, system: s, topology: t, name: name, nodes: map[string]*plainNode{}}
	for i := range t.Nodes {
		p.nodes[t.Nodes[i].Name] = &plainNode{}
	}
	var err error
	if p.network, err = m.session.Engine.StartNetwork(ctx, name, m.labels("network")); err != nil {
		return p, err
	}
	all, ctx := errgroup.WithContext(ctx)
	for i, n := range t.Nodes {
		what, err := s.Container(t, n)
		if err != nil {
			return p, errors.Join(err, all.Wait())
		}
		node := p.nodes[n.Name]
		node.address = p.network.Address(firstHost + i)
		spec := cluster.Spec{
			Name: name + "-" + n.Name, Host: n.Name, Image: what.Image, Entrypoint: what.Entrypoint, Cmd: what.Cmd,
			Env: openGate(what.Env), Labels: m.labels(string(n.Role)), Network: p.network, Address: node.address,
		}
		all.Go(func() (err error) {
			node.id, err = m.session.Engine.RunPlain(ctx, spec)
			return err
		})
	}
	return p, all.Wait()
}

// openGate is an environment in which a node does not wait at its gate.
func openGate(env map[string]string) map[string]string {
	open := map[string]string{"FAULTBED_GATE": "open"}
	for name, value := range env {
		open[name] = value
	}
	return open
}

// awaitReady returns when the supernode counts all peers, asked as often and in the
// same way as on a bed.
func (p *plain) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.system.Bounds().Ready)
	defer cancel()
	want := len(p.topology.Of(topology.Seed, topology.Peer))
	beat := time.NewTicker(harness.Poll)
	defer beat.Stop()
	for {
		members, err := p.system.Members(ctx, p.inside(), p.topology.Of(topology.Supernode)[0])
		if err == nil && len(members) == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for a plain supernode to count %d peers; last seen: %d, %w", want, len(members), errors.Join(err, ctx.Err()))
		case <-beat.C:
		}
	}
}

// add starts one more container, of an image that is no node of a topology.
func (p *plain) add(ctx context.Context, m *meter, image string, cmd ...string) error {
	node := &plainNode{address: p.network.Address(firstHost + len(p.nodes))}
	p.nodes[image] = node
	var err error
	node.id, err = p.session.Engine.RunPlain(ctx, cluster.Spec{
		Name: p.name + "-" + image, Host: image, Image: p.session.Images[image],
		Cmd: append(cmd, "--advertise-ip", node.address.String()),
		Env: openGate(nil), Labels: m.labels(image), Network: p.network, Address: node.address,
	})
	return err
}

// inside is the way to what the nodes say of themselves.
func (p *plain) inside() harness.Inside {
	return harness.Inside{Agent: p.session.Agent, Container: func(node string) string { return p.nodes[node].id }}
}

// onPlain runs measure on one such topology, once the supernode counts all.
func (m *meter) onPlain(ctx context.Context, s system.System, t topology.Topology, measure func(*plain) error) (err error) {
	p, err := m.startPlain(ctx, s, t)
	defer func() { err = errors.Join(err, p.stop(ctx)) }()
	if err == nil {
		err = p.awaitReady(ctx)
	}
	if err != nil {
		return err
	}
	return measure(p)
}

// stop removes all containers and the network, also after an interrupt.
func (p *plain) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), harness.BedStop)
	defer cancel()
	var err error
	for _, n := range p.nodes { // one after the other, see Network
		if n.id != "" {
			err = errors.Join(err, p.session.Engine.RemoveNode(ctx, n.id))
		}
	}
	if p.network.ID != "" {
		err = errors.Join(err, p.session.Engine.RemoveNetwork(ctx, p.network))
	}
	return err
}

// name is one that nothing else on the engine has.
func (m *meter) name(what string) string {
	m.started++
	return fmt.Sprintf("%s-%s-%d", m.session.ID, what, m.started)
}

// labels bind to the session what is started here, so that faultd removes it if this
// process dies.
func (m *meter) labels(role string) map[string]string {
	return map[string]string{
		cluster.LabelSession: m.session.ID, cluster.LabelRole: role, cluster.LabelScenario: "benchmark",
	}
}
