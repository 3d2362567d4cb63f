package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

func newReport() *cobra.Command {
	return &cobra.Command{
		Use:   "report <run>",
		Short: "Make the reports of an old run anew from its run.json; starts nothing",
		Long: "Make report.html, summary.md and junit.xml of an old run anew, from its run.json alone: by\n" +
			"today's diagnosis and with today's charts. Verdicts stay what they were; see faultbed judge.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("report wants one run: give its folder, such as out/latest, or its run.json")
			}
			run, err := readRun(args[0])
			if err != nil {
				return err
			}
			dir := args[0]
			if info, err := os.Stat(dir); err == nil && !info.IsDir() {
				dir = filepath.Dir(dir)
			}
			if err := writeReports(dir, run); err != nil {
				return infra(err)
			}
			newScreen(cmd.OutOrStdout()).say("%s", filepath.Join(dir, "report.html"))
			return nil
		},
	}
}

// writeReports leaves report.html, summary.md and junit.xml in a run's folder, each whole
// or not at all.
func writeReports(dir string, run history.Run) error {
	var html, page, junit bytes.Buffer
	if err := errors.Join(report.Page(&html, run, os.DirFS(dir)), report.Summary(&page, run), report.JUnit(&junit, run)); err != nil {
		return err
	}
	return errors.Join(
		replace(filepath.Join(dir, "summary.md"), page.Bytes()),
		replace(filepath.Join(dir, "junit.xml"), junit.Bytes()),
		replace(filepath.Join(dir, "report.html"), html.Bytes()),
	)
}
