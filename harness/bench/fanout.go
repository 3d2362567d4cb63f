package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

const (
	// children is how many peers want one file at the same time.
	children = 4
	// fanWithin bounds the time of one of them: all four at 10 MiB/s together.
	fanWithin = 120 * time.Second
	// roundsPerFan is how many pairs of beds are measured for each fan-out: it moves 4 GiB.
	roundsPerFan = 2
)

// fanOut compares a file that goes from a seed to four peers at once with the same bytes
// by plain HTTP: from a file on the seed's disk, with sendfile, and from the origin. All
// clients are the same program, which writes the file and holds it against its digest;
// by plain HTTP it asks a server instead of its daemon.
func (m *meter) fanOut(ctx context.Context) ([]Comparison, error) {
	file, t := fixtures.Layer256M, topology.Of(1, 1, children)
	n := max(1, m.rounds/roundsPerFan)
	m.progress(fmt.Sprintf("%d MiB from a seed to %d peers at once and by plain HTTP, %d times", file.Size>>20, children, n))
	sample := func(what string) Sample { return Sample{What: what, Bytes: children * file.Size} }
	what := fmt.Sprintf("%d MiB to %d at once", file.Size>>20, children)
	swarm, disk, alone := sample("swarm: from a seed, and from each other"), sample("HTTP: a file on the seed's disk, with sendfile"), sample("HTTP: the origin alone")
	linked, linkedDisk := sample("swarm, through steered links"), sample("HTTP: a file on the seed's disk, through steered links")
	for turn := range n { // each on nodes of its own: what was downloaded once is there
		err := m.onPlain(ctx, m.session.System, t, func(p *plain) error {
			f := fan{m: m, t: t, file: file, container: func(node string) string { return p.nodes[node].id }}
			return f.measure(ctx, turn, &swarm, &disk, &alone)
		})
		if err != nil {
			return nil, err
		}
	}
	err := onBed(func(tb testing.TB) error {
		tb.Helper()
		bed := harness.Start(ctx, tb, t)
		f := fan{m: m, t: t, file: file, container: bed.Container}
		return f.measure(ctx, 0, &linked, &linkedDisk, nil)
	})
	return []Comparison{
		{What: what, Ours: swarm, Theirs: disk},
		{What: what + ", against the origin", Ours: swarm, Theirs: alone},
		{What: what + ", through links", Ours: linked, Theirs: linkedDisk},
	}, err
}

// fan is one seed with its peers.
type fan struct {
	m         *meter
	t         topology.Topology
	file      fixtures.File
	container func(node string) string
}

// measure lets the seed fetch the file, then lets each side bring it to all peers. The
// side that begins is another in each turn.
func (f fan) measure(ctx context.Context, turn int, swarm, disk, alone *Sample) error {
	url, seed := originURL(f.t, f.file), f.t.Of(topology.Seed)[0]
	if err := f.m.client(ctx, f.container(seed.Name), url, f.file, fanWithin); err != nil {
		return fmt.Errorf("bring the file to the seed: %w", err)
	}
	stored := fmt.Sprintf("http://%s:%d/tasks/%s/data", seed.Name, reference.UploadPort, piece.TaskID(url, f.file.SHA256))
	sides := []func() error{
		func() error { return f.all(ctx, swarm, url) },
		func() error { return f.all(ctx, disk, stored, noDaemon...) },
	}
	if alone != nil {
		sides = append(sides, func() error { return f.all(ctx, alone, url, noDaemon...) })
	}
	return rotate(turn, sides...)
}

// noDaemon makes the client ask the URL itself.
var noDaemon = []string{"--socket", "/none"}

// all times how long it takes until every peer has a URL, asked for at the same moment.
func (f fan) all(ctx context.Context, into *Sample, url string, flags ...string) error {
	peers, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for _, p := range f.t.Of(topology.Peer) {
		peers.Go(func() error { return f.m.client(ctx, f.container(p.Name), url, f.file, fanWithin, flags...) })
	}
	if err := peers.Wait(); err != nil {
		return err
	}
	into.add(time.Since(start))
	return nil
}
