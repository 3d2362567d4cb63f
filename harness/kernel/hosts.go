//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// WriteNames writes the files by which the main process finds hosts, as an engine does for
// a container that it networks: it asks a Switch's resolver, and knows its own name to be
// at that address. It refuses a process that has the host's root.
func (n *Namespace) WriteNames(name string, address netip.Addr) error {
	return n.folder("write names in", "/etc", func(root, at int) error {
		if err := refuseHostRoot(root); err != nil {
			return err
		}
		return errors.Join(
			overwrite(at, "resolv.conf", fmt.Sprintf("nameserver %s\noptions ndots:0\n", dockerResolver)),
			overwrite(at, "hosts", fmt.Sprintf("127.0.0.1\tlocalhost\n%s\t%s\n", address, name)),
		)
	})
}

// refuseHostRoot makes sure that a root is neither that of process 1 nor this program's.
func refuseHostRoot(root int) error {
	var this unix.Stat_t
	if err := unix.Fstat(root, &this); err != nil {
		return fmt.Errorf("look at root: %w", err)
	}
	for _, path := range []string{"/proc/1/root", "/proc/self/root"} {
		var other unix.Stat_t
		err := unix.Stat(path, &other)
		if errors.Is(err, os.ErrPermission) {
			continue // as in refuseHost
		}
		if err != nil {
			return fmt.Errorf("compare with the host's root: %w", err)
		}
		if this.Dev == other.Dev && this.Ino == other.Ino {
			return invalid("it has the host's root")
		}
	}
	return nil
}

// overwrite gives a file that content. A link in its place is followed nowhere.
func overwrite(folder int, name, content string) error {
	number, err := unix.Openat(folder, name, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	file := os.NewFile(uintptr(number), name)
	_, err = io.WriteString(file, content)
	return errors.Join(err, file.Close())
}
