package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

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
		Use:   "judge <run>",
		Short: "Judge the histories of an old run again; starts nothing, changes nothing",
		Long: "Judge the histories of an old run again, by today's judges and known issues, and print each\n" +
			"verdict then and now. A run is its folder, or its run.json; fixtures/histories has some.\n\n" +
			"Exit status: that of a run which ends so today, see faultbed run; 64 bad usage.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("judge wants one run: give its folder, such as out/latest, or its run.json")
			}
			run, err := readRun(args[0])
			if err != nil {
				return err
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

// judgeAgain prints the verdicts of the day and those of today, with the reason where the
// two differ, and the table. It ends as the run would end now.
func judgeAgain(run history.Run, issues []history.KnownIssue, to io.Writer) error {
	s := newScreen(to)
	release := cmp.Or(run.Release, harness.DefaultRelease(run.System)) // old runs do not say
	changed := 0
	s.say("%-*s  %-*s", verdictWidth, "then", verdictWidth, "now")
	for i := range run.Scenarios {
		one := &run.Scenarios[i]
		was := one.Verdict
		if !one.Started.IsZero() { // without a bed, what was said on the day stands
			*one = judge.Scenario(*one, judge.Tested{Release: release, Given: run.Given}, issues)
		}
		s.say("%s  %s  %s", s.wide(was), s.wide(one.Verdict), one.Name)
		if one.Verdict == was {
			continue
		}
		changed++
		if one.Reason != "" {
			s.say("%*s%s", 2*verdictWidth+4, "", strings.ReplaceAll(one.Reason, "\n", fmt.Sprintf("\n%*s", 2*verdictWidth+4, "")))
		}
	}
	s.say("%d of %d verdicts changed", changed, len(run.Scenarios))
	s.say("")
	if err := report.Table(to, run); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if status := report.ExitStatus(run.Scenarios); status != report.ExitPass {
		return exit{status: status}
	}
	return nil
}
