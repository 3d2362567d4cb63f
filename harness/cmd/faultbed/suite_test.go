package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestSuitesOfKilledRunsAreSwept(t *testing.T) {
	over := exec.Command("true")
	if err := over.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	live := filepath.Join(dir, fmt.Sprintf("%s%d-1", suitePrefix, os.Getpid()))
	dead := filepath.Join(dir, fmt.Sprintf("%s%d-1", suitePrefix, over.Process.Pid))
	other := filepath.Join(dir, "faultbed-else")
	for _, folder := range []string{live, dead, other} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweepSuites(dir)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 || left[0] != other || left[1] != live {
		t.Errorf("left are %v, %v, want all but %s", left, err, dead)
	}
}
