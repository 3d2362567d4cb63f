package main

import (
	"bytes"
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
	again := report.Again(r.run.Seed, r.options.chosen())
	wrote := r.write(again)
	s.say("")
	err := errors.Join(wrote, report.Table(s.out, r.run))
	s.say("")
	s.say("%d scenarios in %.1f s: %s", len(r.run.Scenarios), float64(r.run.WallMS)/1000, filepath.Join(s.run, "run.json"))
	s.say("again: %s", again)
	if all := len(r.run.Scenarios); all > 0 && report.Count(r.run.Scenarios)[history.NotApplicable] == all {
		s.say("nothing is proven: none of these applies to %s", r.options.underTest)
	}
	switch status := report.ExitStatus(r.run.Scenarios); {
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

// write leaves run.json, summary.md and junit.xml in the run's folder, each whole or
// not at all, and points latest at it.
func (r *runner) write(again string) error {
	var page, junit bytes.Buffer
	return errors.Join(
		history.Write(filepath.Join(r.dir, "run.json"), r.run),
		report.Summary(&page, r.run, again),
		replace(filepath.Join(r.dir, "summary.md"), page.Bytes()),
		report.JUnit(&junit, r.run),
		replace(filepath.Join(r.dir, "junit.xml"), junit.Bytes()),
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
