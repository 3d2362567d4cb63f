package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

const (
	// plainGets and shortGets are how often the origin is asked for the large file,
	// and for one short answer, for each pair of beds.
	plainGets = 2
	shortGets = 20
	// getWithin bounds one of them: 64 MiB at 1 MiB/s.
	getWithin = 64 * time.Second
)

// downloads compares bytes that take steered links with bytes that go straight.
func (m *meter) downloads(ctx context.Context) ([]Comparison, error) {
	file := fixtures.Layer64M
	mib := file.Size >> 20
	peers := m.topology.Of(topology.Peer)
	m.progress(fmt.Sprintf("%d downloads of %d MiB through steered links and %d straight", len(peers), mib, len(peers)))
	steered, straight := "through steered links", "straight (plain Docker)"
	swarm := Comparison{What: fmt.Sprintf("%d MiB downloaded by one peer from the swarm", mib), Ours: Sample{What: steered}, Theirs: Sample{What: straight}}
	get := Comparison{What: fmt.Sprintf("%d MiB by HTTP GET, origin to peer", mib), Ours: Sample{What: steered}, Theirs: Sample{What: straight}}
	short := Comparison{What: "one short HTTP answer, origin to peer", Ours: Sample{What: steered}, Theirs: Sample{What: straight}}
	err := onBed(func(tb testing.TB) (err error) {
		tb.Helper()
		bed := harness.Start(ctx, tb, m.topology)
		p, err := m.startPlain(ctx, m.session.System, m.topology)
		defer func() { err = errors.Join(err, p.stop(ctx)) }()
		if err == nil {
			err = p.awaitReady(ctx)
		}
		if err != nil {
			return err
		}
		// Each peer has the file after its turn, so there are as many turns as peers. In
		// the first the seed fetches it, later ones find more and more parents.
		err = turns(len(peers), func(turn int) error {
			return m.fetch(ctx, &swarm.Ours, bed.Container(peers[turn].Name), file)
		}, func(turn int) error {
			return m.fetch(ctx, &swarm.Theirs, p.nodes[peers[turn].Name].id, file)
		})
		if err != nil {
			return err
		}
		peer, origin := peers[0].Name, bed.Origin().Name
		port := m.session.System.Ports(topology.Origin)[0]
		through := bed.Destination(fault.Edge{Client: peer, Server: origin, Port: port.Number})
		direct := netip.AddrPortFrom(p.nodes[origin].address, through.Port())
		for _, c := range []struct {
			into *Comparison
			path string
			size int64
			n    int
		}{
			{&get, "/files/" + file.Name, file.Size, plainGets * m.rounds},
			{&short, port.Health, 1, shortGets * m.rounds},
		} {
			err := turns(c.n, func(int) error {
				return m.get(ctx, &c.into.Ours, bed.Container(peer), through, c.path, c.size)
			}, func(int) error {
				return m.get(ctx, &c.into.Theirs, p.nodes[peer].id, direct, c.path, c.size)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return []Comparison{swarm, get, short}, err
}

// fetch times a download through the swarm inside a peer's container. The client itself
// holds the file against its digest.
func (m *meter) fetch(ctx context.Context, into *Sample, container string, file fixtures.File) error {
	start := time.Now()
	if err := m.client(ctx, container, originURL(m.topology, file), file, m.session.System.Bounds().Download); err != nil {
		return err
	}
	into.add(time.Since(start))
	return nil
}

// originURL is where a file comes from.
func originURL(t topology.Topology, file fixtures.File) string {
	return fmt.Sprintf("http://%s/files/%s", t.Of(topology.Origin)[0].Name, file.Name)
}

// client downloads a URL inside a peer's container, with more flags or none.
func (m *meter) client(ctx context.Context, container, url string, file fixtures.File, bound time.Duration, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, bound+harness.Observation)
	defer cancel()
	command := append(m.session.System.Download(url, "/benchmark", file.SHA256, bound), flags...)
	stdout, stderr, code, err := m.session.Engine.Exec(ctx, container, command)
	var claim system.Claim
	if err == nil {
		claim, err = m.session.System.Claim(stdout)
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", file.Name, err)
	}
	if code != 0 || !claim.OK {
		return fmt.Errorf("download %s: exit status %d: %s %s", file.Name, code, claim.Error, strings.TrimSpace(string(stderr)))
	}
	return nil
}

// get times one HTTP GET out of a container's namespace over a connection of its own.
func (m *meter) get(ctx context.Context, into *Sample, container string, from netip.AddrPort, path string, size int64) error {
	results, err := m.session.Agent.Probe(ctx, []agent.Probe{{
		Node: container, Target: from, Protocol: "http", Path: path, Bulk: true, Timeout: getWithin,
	}})
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	if r := results[0]; r.Outcome != agent.OutcomeOK || r.Bytes < size {
		return fmt.Errorf("get %s: %s after %d bytes: %s", path, r.Outcome, r.Bytes, r.Detail)
	}
	into.add(results[0].Total)
	return nil
}
