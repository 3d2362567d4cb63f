package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
)

// Bed is the fault.Target of its scenarios.
var _ fault.Target = (*Bed)(nil)

// Edges implements fault.Target.
func (b *Bed) Edges() []fault.Edge { return b.edges }

// Listener implements fault.Target.
func (b *Bed) Listener(e fault.Edge) (string, uint16) { return b.site.proxy.ID, b.ports[e] }

// Destination implements fault.Target.
func (b *Bed) Destination(e fault.Edge) netip.AddrPort {
	return netip.AddrPortFrom(b.nodes[e.Server].address, uint16(e.Port)) //nolint:gosec // a port
}

// Address implements fault.Target.
func (b *Bed) Address(node string) netip.Addr { return b.nodes[node].address }

// Speaks implements fault.Target.
func (b *Bed) Speaks(e fault.Edge) fault.Speech {
	port := b.portOf(e)
	// A gRPC server describes itself at length.
	return fault.Speech{Protocol: port.Protocol, Bulk: port.Protocol == "grpc" || port.Bulk != ""}
}

// Store implements fault.Target.
func (b *Bed) Store(node string) (folder string, ok bool) {
	folder = b.nodes[node].store
	return folder, folder != ""
}

// Lacks implements fault.Target.
func (b *Bed) Lacks(capability string) string {
	if verdict := cmp.Or(b.session.Can[capability], "not tried"); verdict != "yes" {
		return verdict
	}
	return ""
}

// Container implements fault.Target.
func (b *Bed) Container(name string) string {
	b.layout.RLock()
	defer b.layout.RUnlock()
	return b.nodes[name].container.ID
}

// Kernel implements fault.Target.
func (b *Bed) Kernel() fault.Kernel { return b.session.Agent }

// Streams implements fault.Target.
func (b *Bed) Streams() fault.Streams { return b.streams }

// Processes implements fault.Target.
func (b *Bed) Processes() fault.Processes { return processes{b} }

// Look implements fault.Target.
func (b *Bed) Look(ctx context.Context, looks []fault.Look) ([]history.Reading, error) {
	if len(looks) == 0 {
		return nil, nil
	}
	probes := make([]agent.Probe, len(looks))
	for i, l := range looks {
		probes[i] = b.probe(l)
	}
	results, err := b.session.Agent.Probe(ctx, probes)
	if err != nil {
		return nil, err
	}
	readings := make([]history.Reading, len(results))
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range results {
		readings[i] = history.Reading{
			Link: looks[i].Edge.String(), Outcome: r.Outcome, Bytes: r.Bytes, Digest: r.Digest, Detail: r.Detail,
			ConnectMS: milliseconds(r.Connect), RTTMS: milliseconds(r.FirstByte), TotalMS: milliseconds(r.Total),
			Wire: history.Wire(r.Wire),
		}
		b.probed[looks[i].Edge] += r.Bytes
		if r.Connect > 0 {
			b.dialled[looks[i].Edge]++
		}
	}
	return readings, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// resolver is where containers ask for names (RFC 1035 names the port).
var resolver = netip.AddrPortFrom(cluster.Resolver, 53)

// probe asks what a port can answer: a port without a long answer gives its short one.
func (b *Bed) probe(l fault.Look) agent.Probe {
	switch client := b.Container(l.Edge.Client); {
	case l.Ask.Name != "":
		return agent.Probe{Node: client, Target: resolver, Protocol: "dns", Path: l.Ask.Name, Timeout: l.Timeout}
	case l.Ask.UDP != 0:
		to := netip.AddrPortFrom(b.Address(l.Edge.Server), uint16(l.Ask.UDP)) //nolint:gosec // a port
		return agent.Probe{Node: client, Target: to, Protocol: "udp", Timeout: l.Timeout}
	}
	port := b.portOf(l.Edge)
	p := agent.Probe{
		Node: b.Container(l.Edge.Client), Target: b.Destination(l.Edge),
		Protocol: port.Protocol, Path: port.Health, Pad: l.Ask.Pad, Close: l.Ask.Close, Timeout: l.Timeout,
	}
	if port.Protocol == "tcp" {
		p.Protocol, p.Path = "talk", port.Hello
	}
	switch {
	case l.Ask.Bulk == 0:
	case port.Protocol == "grpc":
		p.Bulk = true
	case port.Bulk != "":
		p.Bulk, p.Path = true, fmt.Sprintf(port.Bulk, l.Ask.Bulk)
	}
	return p
}

func (b *Bed) portOf(e fault.Edge) system.Port {
	for _, p := range b.session.System.Ports(b.nodes[e.Server].spec.Role) {
		if p.Number == e.Port {
			return p
		}
	}
	return system.Port{Number: e.Port, Protocol: "tcp"}
}

// processes is the life of a bed's containers, by node name.
type processes struct{ bed *Bed }

func (p processes) Pause(ctx context.Context, name string) error {
	return p.bed.session.Engine.Pause(ctx, p.bed.Container(name))
}

func (p processes) Unpause(ctx context.Context, name string) error {
	return p.bed.session.Engine.Unpause(ctx, p.bed.Container(name))
}

func (p processes) Kill(ctx context.Context, name string) error {
	if err := p.leave(ctx, name); err != nil {
		return err
	}
	return p.bed.session.Engine.Kill(ctx, p.bed.Container(name))
}

// leave notes that a fault ends a node, and what its namespace has counted by then.
func (p processes) leave(ctx context.Context, name string) error {
	walked, err := p.bed.session.Agent.Bypass(ctx, p.bed.Container(name))
	if err != nil && !errors.Is(err, agent.ErrNodeGone) {
		return fmt.Errorf("bypass counter of %s: %w", name, err)
	}
	p.bed.mu.Lock()
	p.bed.walked[name] += int(walked) //nolint:gosec // a count of connections
	p.bed.mu.Unlock()
	p.note(name, true)
	return nil
}

// note tells a node that a fault has killed from one that died by itself.
func (p processes) note(name string, killed bool) {
	p.bed.mu.Lock()
	defer p.bed.mu.Unlock()
	p.bed.killed[name] = killed
}

func (p processes) Runs(ctx context.Context, name string) (bool, error) {
	return p.bed.session.Engine.Runs(ctx, p.bed.Container(name))
}

// Start starts a killed node: its new network namespace is steered before its gate opens.
func (p processes) Start(ctx context.Context, name string) error {
	if err := p.bed.session.Engine.Start(ctx, p.bed.Container(name)); err != nil {
		return err
	}
	p.note(name, false)
	p.bed.restarted(name)
	if err := p.bed.plug(ctx, name); err != nil {
		return err
	}
	if err := p.bed.steer(ctx, name); err != nil {
		return err
	}
	if err := p.bed.startCapture(ctx, name); err != nil {
		return err
	}
	if err := p.bed.session.Agent.OpenGate(ctx, p.bed.Container(name)); err != nil {
		return fmt.Errorf("open the gate of %s: %w", name, err)
	}
	return nil
}

func (p processes) Stop(ctx context.Context, name string) error {
	if err := p.leave(ctx, name); err != nil {
		return err
	}
	return p.bed.session.Engine.Stop(ctx, p.bed.Container(name), StopGrace)
}

func (p processes) Since(ctx context.Context, name string) (time.Time, error) {
	return p.bed.session.Engine.Since(ctx, p.bed.Container(name))
}

func (p processes) Limit(ctx context.Context, name string, l fault.Limits) (fault.Limits, error) {
	previous, err := p.bed.session.Engine.Limit(ctx, p.bed.Container(name), cluster.Limits(l))
	return fault.Limits(previous), err
}

func (p processes) Limits(ctx context.Context, name string) (fault.Limits, error) {
	l, err := p.bed.session.Engine.Limits(ctx, p.bed.Container(name))
	return fault.Limits(l), err
}

func (p processes) Usage(ctx context.Context, name string) (fault.Usage, error) {
	u, err := p.bed.session.Engine.Usage(ctx, p.bed.Container(name))
	return fault.Usage{Throttled: u.Throttled, Periods: u.Periods, MemoryLimit: u.MemoryLimit, MemoryUsed: u.MemoryUsed}, err
}
