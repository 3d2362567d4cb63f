package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// leaveWithin is how long an interrupted suite may take to heal its faults and
// remove its beds. faultd does the same within its lease when this is cut short.
const leaveWithin = 5 * time.Second

// child is a command in a process group of its own: what it starts ends with it, and
// a Ctrl-C reaches it once, by our hand and not by the terminal's too.
type child struct {
	process *os.Process
	ended   chan error // gets one value
}

// startChild starts cmd, bound to this process's life where the system can do that.
func startChild(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = dieWithParent()
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		// The kernel takes the thread that started a child for its parent: it has to
		// live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return &child{process: cmd.Process, ended: ended}, nil
}

// wait returns when the child and its group have ended: by themselves, or because i
// happened. The error is the child's own.
func (c *child) wait(i *interruption) error {
	over, err := c.leave(i)
	killed := syscall.Kill(-c.process.Pid, syscall.SIGKILL)
	if errors.Is(killed, syscall.ESRCH) {
		killed = nil
	}
	if !over {
		err = <-c.ended
	}
	return errors.Join(err, killed)
}

// leave waits for the child to end, and asks it to when i happens.
func (c *child) leave(i *interruption) (over bool, err error) {
	select {
	case err := <-c.ended:
		return true, err
	case <-i.asked.Done():
	}
	if err := syscall.Kill(-c.process.Pid, i.signal); err != nil {
		return false, nil
	}
	patience := time.NewTimer(leaveWithin)
	defer patience.Stop()
	select {
	case err := <-c.ended:
		return true, err
	case <-i.insisted:
	case <-patience.C:
	}
	return false, nil
}
