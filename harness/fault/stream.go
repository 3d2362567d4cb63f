package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Delay holds back what servers answer on some links.
type Delay struct {
	Links  Links
	By     time.Duration
	Jitter time.Duration // plus or minus
}

// Kind implements Fault.
func (d Delay) Kind() string { return "delay" }

// Target implements Fault.
func (d Delay) Target() string { return fmt.Sprintf("%s by %s±%s", d.Links, d.By, d.Jitter) }

// Plan implements Fault.
func (d Delay) Plan(t Target, id string) (Plan, error) {
	if d.By <= 0 || d.Jitter < 0 || d.Jitter > d.By {
		return Plan{}, fmt.Errorf("delay by %s±%s: must be positive, the jitter no larger", d.By, d.Jitter)
	}
	return streamPlan(t, d.Links, id, toxic.Latency{Delay: d.By, Jitter: d.Jitter}, Plan{
		Bites: slower(float64((d.By - d.Jitter).Milliseconds())),
		Asks:  []Ask{{Silence: d.By*4 + 2*time.Second}}, // a gRPC probe takes two round trips
	})
}

// Reset resets every connection of some links as soon as the server answers on it.
type Reset struct {
	Links Links
}

// Kind implements Fault.
func (r Reset) Kind() string { return "reset" }

// Target implements Fault.
func (r Reset) Target() string { return r.Links.String() }

// Plan implements Fault.
func (r Reset) Plan(t Target, id string) (Plan, error) {
	return streamPlan(t, r.Links, id, toxic.ResetPeer{}, Plan{
		Bites: func(before, during history.Reading) error { return turned(before, during, agent.OutcomeReset) },
	})
}

// Bandwidth limits what each connection of some links carries from server to client.
type Bandwidth struct {
	Links          Links
	BytesPerSecond int64
}

// Kind implements Fault.
func (b Bandwidth) Kind() string { return "bandwidth" }

// Target implements Fault.
func (b Bandwidth) Target() string { return fmt.Sprintf("%s to %d bytes/s", b.Links, b.BytesPerSecond) }

// Plan implements Fault.
func (b Bandwidth) Plan(t Target, id string) (Plan, error) {
	if b.BytesPerSecond < 1000 {
		return Plan{}, fmt.Errorf("%d bytes/s: toxiproxy counts in thousands, use 1000 at least", b.BytesPerSecond)
	}
	// Half a second's worth: long enough to tell the rate within its 100 ms steps.
	bulk := int(min(b.BytesPerSecond/2, 1<<20))
	want := time.Duration(float64(bulk) / float64(b.BytesPerSecond) * float64(time.Second))
	return streamPlan(t, b.Links, id, toxic.Bandwidth{BytesPerSecond: b.BytesPerSecond}, Plan{
		Asks: []Ask{{Bulk: bulk, Silence: 4*want + 2*time.Second}},
		Bites: func(before, during history.Reading) error {
			if during.Outcome != agent.OutcomeOK {
				return fmt.Errorf("%s is %s", during.Link, during.Outcome)
			}
			if least := 0.75 * want.Seconds() * 1000; during.TotalMS < least || before.TotalMS >= least {
				return fmt.Errorf("%s: %d bytes took %.0f ms (%.0f before), at least %.0f expected",
					during.Link, during.Bytes, during.TotalMS, before.TotalMS, least)
			}
			return nil
		},
	})
}

// streamPlan completes plan for a toxic that is put on every selected link.
func streamPlan(t Target, links Links, id string, effect toxic.Toxic, plan Plan) (Plan, error) {
	edges, err := selected(t, links)
	if err != nil {
		return Plan{}, err
	}
	plan.Affected, plan.Edges = edges, edges
	plan.Apply = func(ctx context.Context) (Undo, error) {
		var undos stack
		for _, e := range edges {
			undos.push(once(func(ctx context.Context) error { return t.Streams().Remove(ctx, e.String(), id) }))
			if err := t.Streams().Add(ctx, e.String(), id, effect); err != nil {
				return undos.undo, err
			}
		}
		return undos.undo, nil
	}
	return plan, nil
}

// slower is Bites for faults that only cost time: the answer must come at least
// three quarters of asked later than before. Pumba's tests use the same fraction.
func slower(asked float64) func(before, during history.Reading) error {
	return func(before, during history.Reading) error {
		if during.Outcome != agent.OutcomeOK {
			return fmt.Errorf("%s is %s", during.Link, during.Outcome)
		}
		if rise := during.RTTMS - before.RTTMS; rise < 0.75*asked {
			return fmt.Errorf("%s answers %.0f ms later, %.0f were asked", during.Link, rise, asked)
		}
		return nil
	}
}
