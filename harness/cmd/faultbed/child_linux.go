package main

import "syscall"

// dieWithParent makes a process group that the kernel kills when this process goes,
// kill -9 included.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
