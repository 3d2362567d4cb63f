package deadmen

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// blow is what the reason of a scenario says that lost its faultd.
const blow = "faultd is gone"

// strikeAt are the phases in which faultd is killed, in turns.
var strikeAt = []Phase{Downloading, Injecting, Starting, Healing}

// strikeAfter is how far into the phase.
const strikeAfter = 5 * time.Millisecond

// strike kills faultd in the middle of a run: the run must notice, end as INFRA, and put
// away what it has started.
func (t *Trial) strike(ctx context.Context, n int) (Strike, error) {
	s := Strike{N: n + 1, Aim: strikeAt[n%len(strikeAt)]}
	c, err := t.run(t.Seed+int64(n), t.Scenarios...)
	if err != nil {
		return s, err
	}
	defer t.bury(ctx, c)
	_, ok, err := c.await(ctx, s.Aim, "", strikeAfter)
	if err != nil {
		return s, err
	}
	if !ok {
		return s, fmt.Errorf("the run ended with %d before: %s", c.status(), c.said())
	}
	s.Run = c.folder()
	session := c.session()
	t.ours[session] = true
	if err := t.killFaultd(ctx, session); err != nil {
		return s, err
	}
	at := time.Now()
	if err := c.wait(ctx, noticeWithin); err != nil {
		s.Status, s.Wrong = -1, append(s.Wrong, err.Error())
		return s, nil
	}
	s.EndedMS, s.Status = time.Since(at).Milliseconds(), c.status()
	if s.Status != report.ExitInfra {
		s.Wrong = append(s.Wrong, fmt.Sprintf("the run ended with %d, not %d: %s", s.Status, report.ExitInfra, c.said()))
	}
	s.Wrong = append(s.Wrong, blamed(c.folder())...)
	if s.Left, err = t.leftovers(ctx, c, session, ""); err != nil || len(s.Left) > 0 {
		return s, err // at once: nobody else removes them
	}
	s.Settled, err = t.settled(ctx, c, time.Now())
	return s, err
}

func (t *Trial) killFaultd(ctx context.Context, session string) error {
	objects, err := t.Engine.Leftovers(ctx)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.Session == session && o.Role == cluster.RoleFaultd {
			return t.Engine.Kill(ctx, o.ID)
		}
	}
	return errors.New("session " + session + " has no faultd")
}

// blamed looks at the scenarios of a run that lost faultd: each has passed before, or says
// that it was that.
func blamed(run string) (wrong []string) {
	var r history.Run
	if err := history.Read(filepath.Join(run, "run.json"), &r); err != nil {
		return []string{err.Error()}
	}
	infra := 0
	for _, s := range r.Scenarios {
		switch {
		case s.Verdict == history.Pass:
		case s.Verdict == history.Infra && strings.Contains(s.Reason, blow):
			infra++
		default:
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s", s.Name, s.Verdict, s.Reason))
		}
	}
	if infra == 0 {
		wrong = append(wrong, "no scenario says that "+blow)
	}
	return wrong
}

// pair runs two sessions side by side and kills one: the other must pass all the same, and
// what cleans up must not think of its objects.
func (t *Trial) pair(ctx context.Context, n int) (Pair, error) {
	p := Pair{N: n + 1}
	doomed, err := t.run(t.Seed+int64(n), t.Scenarios[n%len(t.Scenarios)])
	if err != nil {
		return p, err
	}
	defer t.bury(ctx, doomed)
	spared, err := t.run(t.Seed+int64(n)+1, t.Scenarios[(n+1)%len(t.Scenarios)])
	if err != nil {
		return p, err
	}
	defer t.bury(ctx, spared)
	for _, c := range []*child{spared, doomed} {
		_, ok, err := c.await(ctx, Downloading, "", 0)
		if err != nil {
			return p, err
		}
		if !ok {
			return p, fmt.Errorf("a run ended with %d before both were at it: %s", c.status(), c.said())
		}
		t.ours[c.session()] = true
	}
	at := time.Now()
	doomed.kill(Everything, 0)
	took, left, err := t.poll(ctx, at, func() ([]string, error) { return t.leftovers(ctx, doomed, doomed.session(), "") })
	p.GoneMS, p.Left = took.Milliseconds(), left
	if err != nil {
		return p, err
	}
	p.Both = !spared.over()
	objects, err := t.Engine.Leftovers(ctx)
	if err != nil {
		return p, err
	}
	for _, o := range cluster.Dead(objects) {
		if o.Session == spared.session() {
			p.Wrong = append(p.Wrong, fmt.Sprintf("make clean would remove %s %s of a run that is under way", o.Kind, o.Name))
		}
	}
	if err := spared.wait(ctx, runWithin); err != nil {
		return p, err
	}
	if p.Status = spared.status(); p.Status != report.ExitPass {
		p.Wrong = append(p.Wrong, fmt.Sprintf("the run that was spared ended with %d: %s", p.Status, spared.said()))
	}
	if len(p.Left) > 0 {
		return p, nil
	}
	end, err := t.settled(ctx, spared, time.Now())
	p.Left = end.Left
	return p, err
}
