package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/known"
	"github.com/faultbed/faultbed/harness/report"
)

func newJudge() *cobra.Command {
	return &cobra.Command{
		Use:   "judge <run folder>",
		Short: "Judge the histories of an old run again; starts nothing, changes nothing",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("judge wants one run's folder: give it, such as out/latest")
			}
			var run history.Run
			if err := history.Read(filepath.Join(args[0], "run.json"), &run); err != nil {
				return usage("%w: name the folder of a run that has ended", err)
			}
			root, err := cluster.ModuleRoot()
			if err != nil {
				return usage("%w: known issues are read there: run faultbed inside one", err)
			}
			issues, err := known.Read(root, cmp.Or(run.System, referenceName))
			if err != nil {
				return usage("%w", err)
			}
			return judgeAgain(run, issues, cmd.OutOrStdout())
		},
	}
}

// judgeAgain prints the verdicts that differ from those of the day, and the table. It
// ends as the run would end now.
func judgeAgain(run history.Run, issues []history.KnownIssue, to io.Writer) error {
	s := newScreen(to)
	release := cmp.Or(run.Release, harness.DefaultRelease(run.System)) // old runs do not say
	changed := 0
	for i := range run.Scenarios {
		one := &run.Scenarios[i]
		was := one.Verdict
		if !one.Started.IsZero() { // without a bed, what was said on the day stands
			*one = judge.Scenario(*one, judge.Tested{Release: release, Given: run.Given}, issues)
		}
		if one.Verdict == was {
			continue
		}
		changed++
		s.say("%s, was %s: %s", s.paint(one.Verdict), was, one.Name)
		if one.Reason != "" {
			s.say("  %s", one.Reason)
		}
	}
	s.say("%d of %d verdicts changed", changed, len(run.Scenarios))
	if err := report.Table(to, run); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if status := report.ExitStatus(run.Scenarios); status != report.ExitPass {
		return exit{status: status}
	}
	return nil
}
