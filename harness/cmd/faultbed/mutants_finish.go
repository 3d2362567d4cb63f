package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/faultbed/faultbed/harness/history"
)

// close writes what the trials leave, prints how they ended, and returns the exit status.
func (t *trials) close(i *interruption) error {
	r := &t.report
	r.WallMS = time.Since(r.Started).Milliseconds()
	r.Interrupted = i.happened() && len(r.Mutants) < len(t.options.chosen)
	names, err := t.ofSwarm()
	r.FindIdle(names)
	var page bytes.Buffer
	err = errors.Join(err,
		r.Page(&page),
		os.MkdirAll(t.options.out, 0o755),
		replace(filepath.Join(t.options.out, "mutants.md"), page.Bytes()),
		history.Write(filepath.Join(t.options.out, "mutants.json"), r),
	)
	t.screen.say("")
	err = errors.Join(err, r.Write(t.screen.out))
	t.screen.say("")
	t.screen.say("%s", t.sum())
	return conclude(i, r.ExitStatus(), err)
}

// sum is the last line.
func (t *trials) sum() string {
	killed := 0
	for _, m := range t.report.Mutants {
		if m.Killed() {
			killed++
		}
	}
	return fmt.Sprintf("%d of %d mutants killed in %.1f s, seed %d: %s", killed, len(t.options.chosen),
		float64(t.report.WallMS)/1000, t.report.Seed, shortest(filepath.Join(t.options.out, "mutants.md")))
}
