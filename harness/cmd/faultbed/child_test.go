package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// shell starts a script and returns once it has said that it is ready. The pipe ends
// when the last process that the script has started is gone.
func shell(t *testing.T, script string) (c *child, pipe *os.File) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	cmd.Stdout = in
	c, err = startChild(cmd)
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the script said %q, %v", line, err)
	}
	return c, out
}

// wished is an interruption whose first wish can be uttered at once.
func wished(t *testing.T) (i *interruption, ask func()) {
	t.Helper()
	asked, cancel := context.WithCancelCause(t.Context())
	return &interruption{asked: asked, insisted: make(chan struct{}), signal: syscall.SIGINT}, func() { cancel(errInterrupted) }
}

func exitCode(err error) int {
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	return 0
}

func TestInterruptedChildMayLeaveOnItsOwn(t *testing.T) {
	c, _ := shell(t, `trap 'exit 7' INT; sleep 600 >/dev/null & echo ready; wait`)
	i, ask := wished(t)
	ask()
	if got := exitCode(c.wait(i)); got != 7 {
		t.Errorf("exit code %d, want 7: the child's own answer to SIGINT", got)
	}
	if !i.happened() {
		t.Error("the interruption has not happened")
	}
}

func TestPartMayEndAlone(t *testing.T) {
	whole, ask := wished(t)
	part, stop := whole.part()
	stop()
	if !part.enough() || part.happened() || part.asked.Err() == nil || whole.asked.Err() != nil {
		t.Error("a part that was stopped has shown enough, and nobody else is to end")
	}
	other, stop := whole.part()
	defer stop()
	ask()
	if !other.happened() || other.enough() {
		t.Error("a part does not end with the whole")
	}
}

func TestInsistingKillsTheWholeGroup(t *testing.T) {
	// The grandchild ignores the signal too, and holds the group.
	c, pipe := shell(t, `trap '' INT TERM; sleep 600 & echo ready; wait; wait`)
	i, ask := wished(t)
	ask()
	close(i.insisted)
	start := time.Now()
	_ = c.wait(i)
	if took := time.Since(start); took > leaveWithin/2 {
		t.Errorf("took %s, want no patience", took)
	}
	awaitGone(t, pipe)
}

func TestGroupEndsWithItsLeader(t *testing.T) {
	c, pipe := shell(t, `sleep 600 & echo ready; exit 3`)
	i, _ := wished(t)
	if got := exitCode(c.wait(i)); got != 3 {
		t.Errorf("exit code %d, want 3", got)
	}
	awaitGone(t, pipe)
}

// awaitGone waits until nobody holds the pipe any more.
func awaitGone(t *testing.T, pipe *os.File) {
	t.Helper()
	if err := pipe.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		t.Errorf("a process of the group is still there: %v", err)
	}
}
