//go:build linux

package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Descriptors is the state of the main process's file descriptors: the numbers
// of those that are open, ascending, and RLIMIT_NOFILE. That limit is one on
// numbers, not on how many are open.
type Descriptors struct {
	Numbers    []uint64
	Soft, Hard uint64
}

// Descriptors reads the state of the main process's file descriptors.
func (n *Namespace) Descriptors() (Descriptors, error) {
	var state Descriptors
	err := n.process("read descriptors", func(pid int) error {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return err
		}
		for _, entry := range open {
			number, err := strconv.ParseUint(entry.Name(), 10, 64)
			if err != nil {
				return fmt.Errorf("descriptor %q: %w", entry.Name(), err)
			}
			state.Numbers = append(state.Numbers, number)
		}
		slices.Sort(state.Numbers)
		var limit unix.Rlimit
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
			return fmt.Errorf("prlimit: %w", err)
		}
		state.Soft, state.Hard = limit.Cur, limit.Max
		return nil
	})
	return state, err
}

// LimitDescriptors sets the main process's soft limit and says what it was. The
// hard limit stays: it could not be raised again without CAP_SYS_RESOURCE.
func (n *Namespace) LimitDescriptors(soft uint64) (previous uint64, err error) {
	err = n.process("limit descriptors", func(pid int) error {
		var limit unix.Rlimit
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
			return fmt.Errorf("prlimit: %w", err)
		}
		if soft > limit.Max {
			return fmt.Errorf("%d is above the hard limit of %d", soft, limit.Max)
		}
		previous = limit.Cur
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: soft, Max: limit.Max}, nil); err != nil {
			return fmt.Errorf("prlimit to %d: %w", soft, err)
		}
		return nil
	})
	return previous, err
}

// Executable is the path of the main process's executable, as it sees it.
func (n *Namespace) Executable() (path string, err error) {
	err = n.process("read executable", func(pid int) error {
		path, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err
	})
	return path, err
}

// HashFile reads a file in the main process's root. Links in the path lead
// nowhere outside of that root. A missing file is an error that is
// fs.ErrNotExist.
func (n *Namespace) HashFile(path string) (sha256hex string, size int64, err error) {
	var file *os.File
	// Only opening needs the process; a large file is read without holding it.
	err = n.process("hash file", func(pid int) error {
		file, err = openInside(pid, path)
		return err
	})
	if file != nil {
		defer file.Close() //nolint:errcheck // it is only read
	}
	if err != nil {
		return "", 0, err
	}
	sum, size, err := hash(file)
	if err != nil {
		return "", 0, fmt.Errorf("node %s: hash file: %w", n.name, err)
	}
	return sum, size, nil
}

// openInside opens a file in a process's root for reading.
func openInside(pid int, path string) (*os.File, error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	defer unix.Close(root) //nolint:errcheck // only names are looked up in it
	// O_NONBLOCK, or opening a FIFO would wait for a writer.
	number, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(number), path), nil
}

func hash(file *os.File) (sha256hex string, size int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, &os.PathError{Op: "hash", Path: file.Name(), Err: errors.New("not a regular file")}
	}
	digest := sha256.New()
	size, err = io.Copy(digest, file)
	return hex.EncodeToString(digest.Sum(nil)), size, err
}
