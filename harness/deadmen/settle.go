package deadmen

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness"
)

// Settled is how long it took until nothing of a run was left.
type Settled struct {
	GoneMS int64    `json:"gone_ms"` // its processes, and the objects of its session
	HostMS int64    `json:"host_ms"` // the host too was as before
	Load   float64  `json:"load"`    // of the machine, at the beginning
	Left   []string `json:"left,omitempty"`
}

// settled polls until nothing of a run is left, counted from a moment on: no process, no
// object of its session, and the host as it was before the trial.
func (t *Trial) settled(ctx context.Context, c *child, from time.Time) (s Settled, err error) {
	session := c.session()
	s.Load = load()
	took, left, err := t.poll(ctx, from, func() ([]string, error) { return t.leftovers(ctx, c, session, "") })
	s.GoneMS, s.Left = took.Milliseconds(), left
	if err != nil || len(left) > 0 {
		return s, err
	}
	took, s.Left, err = t.poll(ctx, from, t.changed(ctx))
	s.HostMS = took.Milliseconds()
	return s, err
}

// orphaned is settled for a run that lost one of its processes, and has others that are to
// come to an end by themselves: the beds of that process must go, all beds if it was the
// one that had opened the session, and in the end everything.
func (t *Trial) orphaned(ctx context.Context, c *child, lost process, from time.Time) (s Settled, err error) {
	session, beds := c.session(), ""
	if lost.number > 1 {
		beds = harness.BedsOf(session, lost.pid)
	}
	s.Load = load()
	took, left, err := t.poll(ctx, from, func() ([]string, error) { return t.leftovers(ctx, nil, session, beds) })
	s.GoneMS, s.Left = took.Milliseconds(), left
	if err != nil || len(left) > 0 {
		return s, err
	}
	if err := c.wait(ctx, runWithin); err != nil {
		return s, err
	}
	end, err := t.settled(ctx, c, time.Now())
	s.Left = end.Left
	return s, err
}

// load is how many processes have wanted to run of late, 0 where nobody counts them.
func load() (average float64) {
	text, _ := os.ReadFile("/proc/loadavg") // none is none
	_, _ = fmt.Sscan(string(text), &average)
	return average
}

// poll looks until nothing is left, and says how long after at that was; or what is left
// when Within is over.
func (t *Trial) poll(ctx context.Context, at time.Time, look func() ([]string, error)) (time.Duration, []string, error) {
	beat := time.NewTicker(lookEvery)
	defer beat.Stop()
	for {
		began := time.Since(at)
		left, err := look()
		if err != nil {
			return time.Since(at), nil, err
		}
		if began > Within && len(left) == 0 {
			left = []string{fmt.Sprintf("nothing, but that was seen after %.1f s only", began.Seconds())}
		}
		if len(left) == 0 || began > Within {
			return began, left, nil
		}
		select {
		case <-ctx.Done():
			return time.Since(at), nil, context.Cause(ctx)
		case <-beat.C:
		}
	}
}

// leftovers are a run's processes, and the objects of its session, or of those of its beds
// whose names begin so.
func (t *Trial) leftovers(ctx context.Context, c *child, session, beds string) ([]string, error) {
	var left []string
	if c != nil {
		for _, p := range c.processes() {
			left = append(left, p.String())
		}
	}
	objects, err := t.Engine.Leftovers(ctx)
	for _, o := range objects {
		if session != "" && o.Session == session && strings.HasPrefix(o.Bed, beds) {
			left = append(left, fmt.Sprintf("%s %s", o.Kind, o.Name))
		}
	}
	return left, err
}

// changed returns a function for poll: what differs on the host from before the trial, and
// did at every look so far, less what is of others. What comes and goes meanwhile is in
// somebody's hands.
func (t *Trial) changed(ctx context.Context) func() ([]string, error) {
	var always []string
	looks := 0
	return func() ([]string, error) {
		now, err := t.host.read(ctx)
		if err != nil {
			return nil, err
		}
		differ := Difference(t.before, now)
		if len(differ) > 0 {
			if err := t.meet(ctx, t.others, now[SectionLinks]); err != nil {
				return nil, err
			}
			differ = slices.DeleteFunc(differ, t.others.concern)
		}
		if looks++; looks == 1 {
			always = differ
		}
		always = slices.DeleteFunc(always, func(line string) bool { return !slices.Contains(differ, line) })
		return always, nil
	}
}

// buryWithin bounds the removal of what a run has left, when the trial ends too.
const buryWithin = 30 * time.Second

// bury makes sure that nothing of a run outlives its part of the trial: also of one that
// was interrupted, or that left something.
func (t *Trial) bury(ctx context.Context, c *child) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), buryWithin)
	defer cancel()
	c.kill(Everything, 0)
	_ = c.wait(ctx, killWithin)
	session := c.session()
	if session == "" {
		return
	}
	_, _, _ = t.poll(ctx, time.Now(), func() ([]string, error) { // what is left in the end, make clean finds
		objects, err := t.Engine.Leftovers(ctx)
		if err != nil {
			return nil, err
		}
		var ours []string
		mine := objects[:0]
		for _, o := range objects {
			if o.Session == session {
				mine, ours = append(mine, o), append(ours, o.Name)
			}
		}
		return ours, t.Engine.Remove(ctx, mine)
	})
	_ = os.Remove(c.out) // only if it is empty
}
