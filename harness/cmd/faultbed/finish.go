package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// close writes what a run leaves, prints how it ended, and returns its exit status.
func (r *runner) close(i *interruption, s *screen) error {
	r.run.WallMS = time.Since(r.run.Started).Milliseconds()
	r.run.Again = report.Again(r.options.goal(), r.run.Seed, r.options.chosen())
	wrote := r.write()
	s.say("")
	err := errors.Join(wrote, report.Table(s.out, r.run))
	s.say("")
	s.say("%d scenarios in %.1f s: %s", len(r.run.Scenarios), float64(r.run.WallMS)/1000, filepath.Join(s.run, "run.json"))
	if words := report.WhereTimeGoes(r.run.Scenarios); words != "" {
		s.say("%s", words)
	}
	s.say("report: %s", filepath.Join(s.run, "report.html"))
	s.say("again: %s", r.run.Again)
	if all := len(r.run.Scenarios); all > 0 && report.Count(r.run.Scenarios)[history.NotApplicable] == all {
		s.say("nothing is proven: none of these applies to %s", r.options.underTest)
	}
	return conclude(i, report.ExitStatus(r.run.Scenarios), err)
}

// conclude is how a command ends whose records say status, and whose writing them down may
// have failed.
func conclude(i *interruption, status int, err error) error {
	switch {
	case err != nil:
		return infra(err)
	case i.happened():
		return exit{report.ExitInterrupted, errInterrupted}
	case status != report.ExitPass:
		return exit{status: status}
	default:
		return nil
	}
}

// write leaves run.json and the reports made of it in the run's folder, each whole or not
// at all, and points latest at it.
func (r *runner) write() error {
	return errors.Join(
		history.Write(filepath.Join(r.dir, "run.json"), r.run),
		writeReports(r.dir, r.run),
		pointLatest(r.dir),
	)
}

// replace writes a file whole or not at all.
func replace(path string, content []byte) error {
	tmp := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return os.Rename(tmp, path)
}
