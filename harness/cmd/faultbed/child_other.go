//go:build unix && !linux

package main

import "syscall"

// dieWithParent makes a process group. Only Linux can bind its life to this
// process; elsewhere the suite looks for its parent by itself.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
