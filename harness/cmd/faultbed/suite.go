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
	"syscall"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/faultbed/faultbed/harness/history"
)

// spec is a scenario as the suite lists it, before it ran.
type spec struct {
	name     string
	labels   []string
	location string // file:line, from the root of the project
	selected bool   // by the filters that the list was made with
}

// suite is the compiled suite in a folder of its own, which is removed at the end.
type suite struct {
	root string
	dir  string
	env  []string // beyond our own, whenever it is started
}

// suitePrefix begins the names of suites' folders; the process they belong to follows.
const suitePrefix = "faultbed-suite-"

// sweepSuites removes the suites of processes that were killed. What cannot be removed
// is somebody else's.
func sweepSuites(dir string) {
	folders, err := filepath.Glob(filepath.Join(dir, suitePrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		word, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), suitePrefix), "-")
		pid, err := strconv.Atoi(word)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder)
		}
	}
}

// compileSuite builds the suite of the project at root.
func compileSuite(ctx context.Context, root string) (*suite, error) {
	sweepSuites(os.TempDir())
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", suitePrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("compile the suite: %w", err)
	}
	s := &suite{root: root, dir: dir}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", s.binary(), ".")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("compile the suite: %w\n%s", err, strings.TrimSpace(string(output))), s.remove())
	}
	return s, nil
}

func (s *suite) binary() string { return filepath.Join(s.dir, "suite.test") }

func (s *suite) remove() error { return os.RemoveAll(s.dir) }

// list asks the suite what it holds, by a dry run: nothing is started.
func (s *suite) list(ctx context.Context, labels, focus string) ([]spec, error) {
	path := filepath.Join(s.dir, "list.json")
	args := []string{"-ginkgo.dry-run", "-ginkgo.no-color", "-ginkgo.json-report=" + path}
	if labels != "" {
		args = append(args, "-ginkgo.label-filter="+labels)
	}
	if focus != "" {
		args = append(args, "-ginkgo.focus="+focus)
	}
	cmd := exec.CommandContext(ctx, s.binary(), args...)
	cmd.Dir, cmd.Env = s.root, append(os.Environ(), s.env...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("list the scenarios: %w\n%s", err, strings.TrimSpace(string(output)))
	}
	var reports []types.Report
	if err := history.Read(path, &reports); err != nil {
		return nil, fmt.Errorf("list the scenarios: %w", err)
	}
	specs := s.specs(reports)
	if len(specs) == 0 {
		return nil, errors.New("list the scenarios: the suite holds none: see suite_test.go")
	}
	return specs, nil
}

func (s *suite) specs(reports []types.Report) []spec {
	var specs []spec
	for _, r := range reports {
		for _, one := range r.SpecReports.WithLeafNodeType(types.NodeTypeIt) {
			specs = append(specs, spec{
				name: one.FullText(), labels: append(slices.Clone(r.SuiteLabels), one.Labels()...),
				location: s.locate(one.LeafNodeLocation), selected: one.State.Is(types.SpecStatePassed),
			})
		}
	}
	return specs
}

func (s *suite) locate(at types.CodeLocation) string {
	file, err := filepath.Rel(s.root, at.FileName)
	if err != nil {
		file = at.FileName
	}
	return fmt.Sprintf("%s:%d", file, at.LineNumber)
}

// selected keeps the specs that the filters chose.
func selected(specs []spec) []spec {
	return slices.DeleteFunc(slices.Clone(specs), func(s spec) bool { return !s.selected })
}
