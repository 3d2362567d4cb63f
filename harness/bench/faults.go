package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
)

// faultsPerRound is how many faults there are for each pair of beds.
const faultsPerRound = 5

// faults compares a port blocked on one link with helper containers that would do the
// same. The helpers are a lower bound: they start, do nothing, and exit. The fault acts
// in two namespaces, the client's and the proxy's, so they are two at once; to confirm,
// one more probes from the client's, and nobody reads counters or probes a control.
// Their removal is not counted.
func (m *meter) faults(ctx context.Context) ([]Comparison, error) {
	n := faultsPerRound * m.rounds
	m.progress(fmt.Sprintf("one port blocked on one link and helper containers, %d of each", n))
	apply := Comparison{
		What:   "fault applied",
		Ours:   Sample{What: "faultd: rules in both namespaces"},
		Theirs: Sample{What: "two idle helper containers at once (lower bound)"},
	}
	confirm := Comparison{
		What:   "fault applied and confirmed, without the probe's silence",
		Ours:   Sample{What: "faultd: rules, answers of the control, counters"},
		Theirs: Sample{What: "the two, then one that probes (lower bound)"},
	}
	silence := fmt.Sprintf("with the %s in which the probe hears nothing", fault.DefaultSilence)
	silent := Comparison{
		What:   "fault applied and confirmed",
		Ours:   Sample{What: "faultd: " + silence},
		Theirs: Sample{What: "helpers: " + silence},
	}
	whole := Comparison{What: "Bed.Inject as a whole", Ours: Sample{What: "probes before, applied, confirmed"}}
	err := onBed(func(tb testing.TB) error {
		tb.Helper()
		bed := harness.Start(ctx, tb, topology.Small())
		client := bed.Peers()[0]
		links := fault.From(client).To(bed.Seeds()[0]).Port(reference.UploadPort)
		proxy, _ := bed.Listener(links.In(bed.Edges())[0])
		return turns(n, func(int) error {
			clocked := &clocked{Fault: fault.BlockPort{Links: links, How: fault.Dropped}}
			start := time.Now()
			outage := bed.Inject(ctx, clocked)
			now := time.Now()
			took := now.Sub(clocked.began)
			waited := outage.Receipt().Probe.During[0].TotalMS
			apply.Ours.add(clocked.applied)
			silent.Ours.add(took)
			confirm.Ours.add(took - time.Duration(waited*float64(time.Millisecond)))
			whole.Ours.add(now.Sub(start))
			outage.Heal(ctx)
			return nil
		}, func(int) error {
			applied, err := m.helpers(ctx, bed.Container(client.Name), proxy)
			if err != nil {
				return err
			}
			probed, err := m.helpers(ctx, bed.Container(client.Name))
			if err != nil {
				return err
			}
			apply.Theirs.add(applied)
			confirm.Theirs.add(applied + probed)
			silent.Theirs.add(applied + probed + fault.DefaultSilence)
			return nil
		})
	})
	return []Comparison{apply, confirm, silent, whole}, err
}

// helpers runs an idle container in the namespace of each of these, all at once, and
// says how long that took until the last had ended.
func (m *meter) helpers(ctx context.Context, beside ...string) (took time.Duration, err error) {
	ids := make([]string, len(beside))
	var all errgroup.Group
	start := time.Now()
	for i, container := range beside {
		spec := cluster.Spec{
			Name: m.name("helper"), Image: m.session.Images["origin"], Cmd: []string{"--help"},
			Env: openGate(nil), Labels: m.labels("helper"),
		}
		all.Go(func() (err error) {
			ids[i], err = m.session.Engine.RunBeside(ctx, container, spec)
			return err
		})
	}
	err = all.Wait()
	took = time.Since(start)
	for _, id := range ids {
		if id != "" {
			err = errors.Join(err, m.session.Engine.RemoveNode(context.WithoutCancel(ctx), id))
		}
	}
	return took, err
}

// clocked is a fault that notes when it was put in force.
type clocked struct {
	fault.Fault
	began   time.Time
	applied time.Duration
}

// Plan implements fault.Fault.
func (c *clocked) Plan(t fault.Target, id string) (fault.Plan, error) {
	plan, err := c.Fault.Plan(t, id)
	apply := plan.Apply
	plan.Apply = func(ctx context.Context) (fault.Undo, error) {
		c.began = time.Now()
		undo, err := apply(ctx)
		c.applied = time.Since(c.began)
		return undo, err
	}
	return plan, err
}
