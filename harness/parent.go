package harness

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// DieWith ends this process when the process with that id has ended: a suite whose
// command line was killed must not go on, and stops renewing its lease. 0 is nobody.
func DieWith(pid int) {
	if pid == 0 {
		return
	}
	parent := os.Getppid()
	go func() {
		beat := time.NewTicker(Poll)
		defer beat.Stop()
		for range beat.C {
			// A killed process that nobody reaped still has its id; then our own parent,
			// which was to die with it, tells.
			if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || os.Getppid() != parent {
				fmt.Fprintf(os.Stderr, "process %d, which started this run, is gone\n", pid)
				os.Exit(1)
			}
		}
	}()
}
