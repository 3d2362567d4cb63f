package main

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/explore"
	"github.com/faultbed/faultbed/harness/history"
)

func newExplore() *cobra.Command {
	w := exploreWords{words: words{repeat: "1", evidence: "failed", labels: explore.Label, target: target{system: referenceName}}}
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Run random plans of faults and downloads, drawn from a seed",
		Long: "Run random plans: topologies, faults on them and the order of all, drawn from a seed.\n" +
			"Each that did not pass is printed as a scenario that can be kept, and lies in its evidence\n" +
			"folder.\n\nExit status: as of run.",
		Args: noMore,
		RunE: interruptible(func(_ *cobra.Command, i *interruption, s *screen) error { return w.run(i, s) }),
	}
	w.register(cmd.Flags())
	return cmd
}

// plansUsually is how many plans run when the user does not say.
const plansUsually = 10

// exploreWords are the flags of explore as they were typed: those of run that it has, and
// how many plans.
type exploreWords struct {
	words
	n string
}

func (w *exploreWords) register(flags *pflag.FlagSet) {
	flags.StringVar(&w.n, "n", "", "how many plans (default: 10)")
	flags.StringVar(&w.seed, "seed", "", "seed of the plans (default: a new one, printed)")
	flags.StringVar(&w.focus, "focus", "", "run plans whose name matches this `regexp`: 'number 3,'")
	flags.StringVar(&w.procs, "procs", "", "plans at once (default: three for each CPU of the engine, at most 6)")
	flags.StringVar(&w.profile, "profile", "fast", "timers of the system: fast or production")
	flags.StringVar(&w.out, "out", "", "`folder` for runs (default: out in the project)")
	flags.StringVar(&w.supernode, "supernode", "", "`image` to run as supernode instead of the default release")
	flags.StringVar(&w.peer, "peer", "", "`image` to run as peer instead of the default release")
}

func (w exploreWords) parse(root string) (options, error) {
	n, countErr := atLeastOne("n", w.n, plansUsually)
	o, err := w.words.parse(root)
	o.plans = n
	if err := errors.Join(countErr, err); err != nil {
		return options{}, first(err)
	}
	return o, nil
}

func (w exploreWords) run(i *interruption, s *screen) error {
	started := time.Now()
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	o, err := w.parse(root)
	if err != nil {
		return err
	}
	r, err := o.perform(i, s, root, started)
	if r == nil || r.dir == "" {
		return err
	}
	if lost := r.keepPlans(s, i.happened()); lost != nil {
		return infra(errors.Join(lost, err))
	}
	return err
}

// wishes are what the suite is asked for beside its scenarios, as variables of its
// environment. Nobody else's wish counts.
func (o options) wishes() []string {
	wish := ""
	if o.plans > 0 {
		wish = explore.Request(o.seed, o.plans)
	}
	return []string{explore.Variable + "=" + wish}
}

// goal is make's word for a run with these options.
func (o options) goal() string {
	if o.plans > 0 {
		return "explore"
	}
	return "scenarios"
}

// keepPlans prints each plan that is not PASS as a scenario, and leaves it in its evidence
// folder, or in that of the run if it has none. One that an interruption kept from its end
// has shown nothing.
func (r *runner) keepPlans(s *screen, interrupted bool) error {
	var errs []error
	for number := 1; number <= r.options.plans; number++ {
		plan := explore.Draw(r.options.seed, number)
		for _, one := range r.run.Scenarios {
			if one.Name != explore.Title+" "+plan.Name() || one.Verdict == history.Pass || interrupted && one.Verdict == history.Infra {
				continue
			}
			path := filepath.Join(r.dir, one.Evidence, plan.FileName())
			s.say("")
			s.say("// %s, %s; put it into scenarios/ to keep it", filepath.Join(s.run, one.Evidence, plan.FileName()), one.Verdict)
			s.say("%s", plan.Literal())
			errs = append(errs, replace(path, []byte(plan.Literal())))
		}
	}
	return errors.Join(errs...)
}
