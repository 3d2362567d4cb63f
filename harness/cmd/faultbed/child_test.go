package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// shell starts a script and returns once it has said that it is ready.
func shell(t *testing.T, script string) *child {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	cmd.Stdout = in
	c, err := startChild(cmd)
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the script said %q, %v", line, err)
	}
	return c
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
	c := shell(t, `trap 'exit 7' INT; sleep 600 >/dev/null & echo ready; wait`)
	i, ask := wished(t)
	ask()
	if got := exitCode(c.wait(i)); got != 7 {
		t.Errorf("exit code %d, want 7: the child's own answer to SIGINT", got)
	}
	if !i.happened() {
		t.Error("the interruption has not happened")
	}
}

func TestInsistingKillsTheWholeGroup(t *testing.T) {
	// The grandchild ignores the signal too, and holds the group.
	c := shell(t, `trap '' INT TERM; sleep 600 & echo ready; wait; wait`)
	group := c.process.Pid
	i, ask := wished(t)
	ask()
	close(i.insisted)
	start := time.Now()
	_ = c.wait(i)
	if took := time.Since(start); took > leaveWithin/2 {
		t.Errorf("took %s, want no patience", took)
	}
	awaitGone(t, group)
}

func TestGroupEndsWithItsLeader(t *testing.T) {
	c := shell(t, `sleep 600 >/dev/null 2>&1 & echo ready; exit 3`)
	group := c.process.Pid
	i, _ := wished(t)
	if got := exitCode(c.wait(i)); got != 3 {
		t.Errorf("exit code %d, want 3", got)
	}
	awaitGone(t, group)
}

// awaitGone waits until no process of the group runs; killed ones that nobody has
// waited for yet may linger for a moment.
func awaitGone(t *testing.T, group int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		if err := syscall.Kill(-group, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("group %d is still there", group)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
