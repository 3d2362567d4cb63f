package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/history"
)

// Limits that ginkgo watches over. A scenario has its own, shorter ones; these are for
// what hangs in spite of them.
var ginkgoLimits = []string{
	"--timeout=1h",
	"--poll-progress-after=60s", "--poll-progress-interval=30s",
	"--grace-period=30s",
}

// ginkgoCommand is where go keeps ginkgo's command line in the version of go.mod,
// building it on the way.
func ginkgoCommand(ctx context.Context, root string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", "ginkgo")
	cmd.Dir = root
	output, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
		}
		return "", fmt.Errorf("build ginkgo: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// round is one time through the suite.
type round struct {
	number  int // from 1
	options options
	ginkgo  string
	suite   *suite
	run     string   // folder of the run
	env     []string // for the suite, beyond our own
}

func (r round) reportName() string { return fmt.Sprintf("ginkgo-%d.json", r.number) }

func (r round) command(log *os.File) *exec.Cmd {
	args := []string{
		"run", "--no-color", "--procs=" + strconv.Itoa(r.options.procs),
		"--seed=" + strconv.FormatInt(r.options.seedOf(r.number), 10),
		"--randomize-all", "--fail-on-pending", "--fail-on-empty", "--keep-going", "--trace",
		"--json-report=" + r.reportName(), "--output-dir=" + r.run,
	}
	args = append(args, ginkgoLimits...)
	if r.options.labels != "" {
		args = append(args, "--label-filter="+r.options.labels)
	}
	if r.options.focus != "" {
		args = append(args, "--focus="+r.options.focus)
	}
	cmd := exec.Command(r.ginkgo, append(args, r.suite.binary())...) //nolint:noctx // ended by child, gently
	cmd.Env = append(slices.Concat(os.Environ(), r.suite.env, r.env),
		"FAULTBED_REPEAT="+strconv.Itoa(r.number), "FAULTBED_TOKEN="+harness.NewToken())
	cmd.Stdout, cmd.Stderr = log, log
	return cmd
}

// play runs the round and tells each scenario as it ends. The error is ginkgo's exit
// status, or that it could not be run.
func (r round) play(i *interruption, left *records, tell func(history.Scenario)) error {
	log, err := os.OpenFile(filepath.Join(r.run, "ginkgo.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("keep ginkgo's output: %w", err)
	}
	c, err := startChild(r.command(log))
	if err != nil {
		return errors.Join(err, log.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- c.wait(i) }()
	err = left.watch(ended, tell)
	return errors.Join(err, log.Close())
}

// reports is what ginkgo wrote about the round; none when it could not.
func (r round) reports() []types.Report {
	var reports []types.Report
	if err := history.Read(filepath.Join(r.run, r.reportName()), &reports); err != nil {
		return nil
	}
	return reports
}
