// Package deadmen kills runs of Faultbed with SIGKILL at random moments, and looks for
// what they leave on the engine and on its host: there must be nothing. All that is
// random follows from one seed.
//
//	trial := deadmen.Trial{Faultbed: "out/.bin/faultbed", Engine: engine, Out: "out/deadmen", Kills: 40, Seed: 7, ...}
//	result, err := trial.Run(ctx)
//	err = result.Table(os.Stdout)
package deadmen

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
)

// Within is how long a killed run may leave anything.
const Within = 15 * time.Second

// Deadlines of the trial itself, for what has no bound of its own.
const (
	lookEvery = 50 * time.Millisecond
	// runWithin bounds a run that nobody kills.
	runWithin = 5 * time.Minute
	// noticeWithin is how long a run may take to end when faultd is gone.
	noticeWithin = 30 * time.Second
	// idleWithin is how long others may hold the engine until the last look at the host
	// has to do with them there.
	idleWithin = 2 * time.Minute
	idleEvery  = time.Second
	// How often, and at which distance, the host is looked at before the trial.
	rememberLooks = 5
	rememberEvery = 500 * time.Millisecond
	// tries is how often a kill is aimed at a phase that was over too soon.
	tries = 3
)

// Scenarios are what the runs are made of, unless the trial is told otherwise: together
// they hold packet rules, switched offloads, toxics, a paused container and a killed one.
var Scenarios = []string{
	"An unreachable seed lost in the middle of a download does not stop it dropped",
	"An unreachable seed lost in the middle of a download does not stop it paused",
	"An unreachable seed lost in the middle of a download does not stop it killed",
	"Retry gets files from the swarm again when the supernode no longer resets its connections",
	"An MTU black hole between a peer and one parent makes it take the pieces elsewhere",
}

// Trial is what to kill, how often, and where.
type Trial struct {
	Faultbed  string          // the command line's own program
	Engine    *cluster.Engine // on this machine
	Out       string          // folder for the runs
	Scenarios []string        // names; a run has two of them
	Kills     int             // of the harness
	Strikes   int             // of faultd
	Pairs     int             // of runs side by side, of which one is killed
	Seed      int64
	Arguments []string // for every run
	Say       func(format string, args ...any)

	host    *host
	before  Baseline
	first   *others // who were there before
	others  *others // and who came since
	usual   usual
	started int
	ours    map[string]bool // sessions
}

// Run goes through the whole trial. The result is as far as it came, also with an error;
// what was found left is in the result, and removed.
func (t *Trial) Run(ctx context.Context) (result Result, err error) {
	start := time.Now()
	result = Result{Seed: t.Seed, Started: start, Missing: map[string]string{}}
	defer func() { result.WallMS = time.Since(start).Milliseconds() }()
	if !t.Engine.Local() {
		return result, errRemote
	}
	t.ours = map[string]bool{}
	t.host, result.Missing = newHost(ctx, t.Engine)
	if err := t.remember(ctx); err != nil {
		return result, err
	}
	for section := range t.before.Ever {
		result.Compared = append(result.Compared, section)
	}
	slices.Sort(result.Compared)
	if result.Undisturbed, err = t.rehearse(ctx); err != nil {
		return result, err
	}
	for i, s := range draw(t.Seed, t.Kills, len(t.Scenarios)) {
		kill, err := t.shoot(ctx, s)
		kill.N = i + 1
		if err != nil {
			return result, fmt.Errorf("kill %d: %w", kill.N, err)
		}
		t.Say("[%d/%d] %s", kill.N, t.Kills, kill)
		result.Kills = append(result.Kills, kill)
	}
	for i := range t.Strikes {
		strike, err := t.strike(ctx, i)
		if err != nil {
			return result, fmt.Errorf("faultd %d: %w", i+1, err)
		}
		t.Say("faultd %d/%d: %s", i+1, t.Strikes, strike)
		result.Strikes = append(result.Strikes, strike)
	}
	for i := range t.Pairs {
		pair, err := t.pair(ctx, i)
		if err != nil {
			return result, fmt.Errorf("pair %d: %w", i+1, err)
		}
		t.Say("pair %d/%d: %s", i+1, t.Pairs, pair)
		result.Pairs = append(result.Pairs, pair)
	}
	err = t.last(ctx, &result)
	return result, err
}

// remember looks at the host, and at who else is on the engine, before anything is done.
func (t *Trial) remember(ctx context.Context) error {
	t.first = newOthers()
	beat := time.NewTicker(rememberEvery)
	defer beat.Stop()
	for range rememberLooks {
		now, err := t.host.read(ctx)
		if err != nil {
			return err
		}
		t.before.add(now)
		if err := t.meet(ctx, t.first, now[SectionLinks]); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-beat.C:
		}
	}
	t.others = t.first.clone()
	return nil
}

// alone waits until nobody else has anything on the engine, for a last look in which
// nothing is excused. It says whether that came.
func (t *Trial) alone(ctx context.Context) (bool, error) {
	beat := time.NewTicker(idleEvery)
	defer beat.Stop()
	for start := time.Now(); ; {
		there, err := t.Engine.Traces(ctx, func(session string) bool { return session != "" && !t.ours[session] })
		if err != nil || len(there.Names) == 0 {
			return err == nil, err
		}
		if time.Since(start) > idleWithin {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-beat.C:
		}
	}
}

// last compares the host once more with what it was before the trial.
func (t *Trial) last(ctx context.Context, result *Result) error {
	var err error
	if result.Alone, err = t.alone(ctx); err != nil {
		return err
	}
	if result.Alone {
		t.others = t.first
	}
	_, result.Left, err = t.poll(ctx, time.Now(), t.changed(ctx))
	return err
}

// run starts a run of some of the trial's scenarios.
func (t *Trial) run(seed int64, scenarios ...string) (*child, error) {
	t.started++
	names := make([]string, len(scenarios))
	for i, name := range scenarios {
		names[i] = regexp.QuoteMeta(name)
	}
	mark := fmt.Sprintf("%s-%d", filepath.Base(t.Out), t.started)
	return startChild(t.Faultbed, filepath.Join(t.Out, fmt.Sprintf("%03d", t.started)), mark, append([]string{
		"--focus", "(" + strings.Join(names, "|") + ")$", "--procs", "2", "--seed", fmt.Sprint(seed),
	}, t.Arguments...)...)
}

// rehearse lets all scenarios run undisturbed: they must pass and leave nothing, and show
// how long phases last here. It also builds whatever is missing.
func (t *Trial) rehearse(ctx context.Context) (left []string, err error) {
	c, err := t.run(t.Seed, t.Scenarios...)
	if err != nil {
		return nil, err
	}
	defer t.bury(ctx, c)
	if err := c.wait(ctx, runWithin); err != nil {
		return nil, err
	}
	if c.status() != 0 {
		return nil, fmt.Errorf("the run that nobody kills ended with %d: %s", c.status(), c.said())
	}
	t.ours[c.session()] = true
	t.usual = learn(c.journal())
	after, err := t.settled(ctx, c, time.Now())
	if err == nil {
		t.Say("undisturbed: %d scenarios passed; %s", len(t.Scenarios), t.usual)
	}
	return after.Left, err
}

// shoot starts a run and kills it.
func (t *Trial) shoot(ctx context.Context, s shot) (Kill, error) {
	names := t.cast(s)
	for try := 1; ; try++ {
		kill, err := t.shot(ctx, s, names)
		if err != nil || kill.Phase != Ended || try == tries {
			return kill, err
		}
		s.share /= 2
	}
}

func (t *Trial) shot(ctx context.Context, s shot, names []string) (Kill, error) {
	kill := Kill{Aim: s.aim, Victim: s.victim}
	c, err := t.run(s.seed, names...)
	if err != nil {
		return kill, err
	}
	defer t.bury(ctx, c)
	scenario := t.usual.longest(s.aim, names)
	into := time.Duration(s.share * float64(t.usual.of(scenario, s.aim)))
	aimed, ok, err := c.await(ctx, s.aim, scenario, into)
	if err != nil {
		return kill, err
	}
	kill.Run = c.folder()
	t.ours[c.session()] = true
	if !ok {
		if len(c.journal()) == 0 {
			return kill, fmt.Errorf("the run ended with %d before it began: %s", c.status(), c.said())
		}
		kill.Phase = Ended
		return kill, nil
	}
	at := time.Now()
	hit := c.kill(s.victim, s.pick)
	if len(hit) == 0 {
		kill.Phase = Ended
		return kill, nil
	}
	kill.AtMS, kill.Phase = at.Sub(c.start).Milliseconds(), phaseAt(c.journal(), aimed, at)
	for _, p := range hit {
		kill.Hit = append(kill.Hit, p.String())
	}
	if s.victim == Process {
		kill.Settled, err = t.orphaned(ctx, c, hit[0], at)
	} else {
		kill.Settled, err = t.settled(ctx, c, at)
	}
	return kill, err
}

// phaseAt is what a run was at when it was hit: the bed that was aimed at, or the session,
// and if that was open by then the bed that was laid first.
func phaseAt(marks []harness.Mark, aimed stretch, moment time.Time) Phase {
	is := at(marks, aimed.bed, moment)
	if aimed.bed != "" || is == Opening {
		return is
	}
	for _, s := range stretches(marks) {
		if s.bed != "" && !s.from.After(moment) {
			return at(marks, s.bed, moment)
		}
	}
	return is
}

// brief is a phase that is over before it can be hit.
const brief = 20 * time.Millisecond

// cast are the scenarios of a run: those of the plan, unless the phase that is aimed at is
// too short in all of them.
func (t *Trial) cast(s shot) []string {
	var names []string
	for _, i := range s.scenarios {
		names = append(names, t.Scenarios[i])
	}
	if t.usual.of(t.usual.longest(s.aim, names), s.aim) < brief {
		names[0] = t.usual.longest(s.aim, t.Scenarios)
	}
	return names
}
