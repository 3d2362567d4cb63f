package harness

import (
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
	go func() {
		beat := time.NewTicker(Poll)
		defer beat.Stop()
		for range beat.C {
			if err := syscall.Kill(pid, 0); err == syscall.ESRCH {
				fmt.Fprintf(os.Stderr, "process %d, which started this run, is gone\n", pid)
				os.Exit(1)
			}
		}
	}()
}
