package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

func newCompare() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "compare <run> <run>...",
		Short: "Show what differs between runs; starts nothing, changes nothing",
		Long: "Show what differs between runs, each a folder or its run.json: the scenarios whose verdicts\n" +
			"differ, between the runs or between the rounds of one, or whose downloads took more than\n" +
			"twice as long.\n\n" +
			"Exit status: 0, or 1 if some scenario that was PASS, KNOWN or N/A in the first run is FAIL in\n" +
			"the last; 64 bad usage.",
		RunE: func(cmd *cobra.Command, args []string) error {
			runs, err := readRuns(args)
			if err != nil {
				return err
			}
			c := report.Compare(runs)
			show := c.Table
			if markdown {
				show = c.Markdown
			}
			if err := show(cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("print the comparison: %w", err)
			}
			if status := c.Status(); status != report.ExitPass {
				return exit{status: status}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print Markdown")
	return cmd
}

// readRuns reads runs that can be compared.
func readRuns(paths []string) ([]history.Run, error) {
	if len(paths) < 2 {
		return nil, usage("compare wants two runs or more, the first being what the last is held against: give their folders, such as out/latest")
	}
	var runs []history.Run
	for _, path := range paths {
		run, err := readRun(path)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	first, last := runs[0], runs[len(runs)-1]
	if !share(first, last) {
		return nil, usage("%s and %s have no scenario in common: compare runs of the same LABELS and FOCUS", paths[0], paths[len(paths)-1])
	}
	return runs, nil
}

// readRun reads a run's folder, or the run.json in it.
func readRun(path string) (history.Run, error) {
	file := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file = filepath.Join(path, "run.json")
	}
	var run history.Run
	if err := history.Read(file, &run); err != nil {
		return run, usage("%w: name the folder of a run that has ended, or its run.json", err)
	}
	if len(run.Scenarios) == 0 {
		return run, usage("%s holds no scenarios: name the folder of a run that has ended, or its run.json", file)
	}
	return run, nil
}

func share(a, b history.Run) bool {
	names := map[string]bool{}
	for _, s := range a.Scenarios {
		names[s.Name] = true
	}
	for _, s := range b.Scenarios {
		if names[s.Name] {
			return true
		}
	}
	return false
}
