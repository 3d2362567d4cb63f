//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// largestFill is how much may be free for a disk to be filled: what is filled is
	// memory, or the host's.
	largestFill = 1 << 30
	// fillChunk is how much is taken at a time, in bytes: a signal makes the kernel
	// begin again with all of it.
	fillChunk = 16 << 20
)

// Fills knows who fills which node's disk. The zero value is empty.
type Fills struct {
	mu    sync.Mutex
	fills map[string]fill
}

// fill is a file of ours in a folder of a node.
type fill struct {
	namespace *Namespace
	folder    string
}

// Fill puts a file into a folder, as the node's main process sees it, that leaves so
// many bytes of the folder's file system free. It refuses one that is too large, and one
// that is the node's root: that is the host's disk.
func (f *Fills) Fill(owner string, n *Namespace, folder string, spare uint64) error {
	if err := checkOwner(owner); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.fills[owner]; known {
		return fmt.Errorf("fill: owner %q: %w", owner, ErrOwnerExists)
	}
	err := n.folder("fill", folder, func(root, at int) error {
		if err := fillable(root, at, spare); err != nil {
			return err
		}
		return fillWith(at, fillName(owner), spare)
	})
	if err != nil {
		return err
	}
	if f.fills == nil {
		f.fills = map[string]fill{}
	}
	f.fills[owner] = fill{n, folder}
	return nil
}

// Remove deletes the owner's file. Twice is harmless, and so is a node that is gone: a
// disk of its own went with it. What could not be deleted stays for another try.
func (f *Fills) Remove(owner string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, known := f.fills[owner]
	if !known {
		return nil
	}
	err := held.namespace.folder("empty", held.folder, func(_, at int) error {
		return unix.Unlinkat(at, fillName(owner), 0)
	})
	if err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(f.fills, owner)
	return nil
}

func fillName(owner string) string { return ".faultbed-" + owner }

// Disk says how large the file system of a folder is, as the main process sees it, and
// how much of it the process could still write; in bytes.
func (n *Namespace) Disk(folder string) (size, free uint64, err error) {
	err = n.folder("read disk", folder, func(_, at int) error {
		disk, err := readDisk(at)
		size, free = disk.size, disk.free
		return err
	})
	return size, free, err
}

// disk is the state of a file system, in bytes. It gives room by the block.
type disk struct {
	size, free, block uint64
}

func readDisk(file int) (disk, error) {
	var state unix.Statfs_t
	if err := unix.Fstatfs(file, &state); err != nil {
		return disk{}, fmt.Errorf("statfs: %w", err)
	}
	block := uint64(state.Bsize)
	return disk{size: state.Blocks * block, free: state.Bavail * block, block: block}, nil
}

// folder opens a folder in the main process's root, as HashFile does a file, and that
// root itself, for names only.
func (n *Namespace) folder(what, path string, do func(root, at int) error) error {
	return n.process(what+" "+path, func(pid int) error {
		const names = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
		root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), names, 0)
		if err != nil {
			return fmt.Errorf("open root: %w", err)
		}
		defer unix.Close(root) //nolint:errcheck // only names are looked up in it
		at, err := unix.Openat2(root, path, &unix.OpenHow{Flags: names, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		defer unix.Close(at) //nolint:errcheck // as above
		return do(root, at)
	})
}

// fillable says why a folder's file system is not to be filled.
func fillable(root, at int, spare uint64) error {
	disk, err := readDisk(at)
	if err != nil {
		return err
	}
	if disk.free > largestFill {
		return invalid("has %d MiB free: give the node a small disk", disk.free>>20)
	}
	if disk.free < spare {
		return invalid("has %d bytes free already, and %d are to be spared", disk.free, spare)
	}
	var roots, folders unix.Stat_t
	if err := errors.Join(unix.Fstat(root, &roots), unix.Fstat(at, &folders)); err != nil {
		return err
	}
	if roots.Dev == folders.Dev {
		return invalid("is on the node's root: give the node a small disk of its own")
	}
	return nil
}

// fillWith makes the file; on an error there is none.
func fillWith(at int, name string, spare uint64) (err error) {
	number, err := unix.Openat(at, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: name, Err: err}
	}
	file := os.NewFile(uintptr(number), name)
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			err = errors.Join(err, unix.Unlinkat(at, name, 0))
		}
	}()
	size, err := grow(number, spare)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	// The last block may be one of those to be spared, the node may have taken some of
	// them, or the file's bookkeeping.
	disk, err := readDisk(number)
	if err != nil || disk.free >= spare {
		return err
	}
	less := (spare - disk.free + disk.block - 1) / disk.block * disk.block
	if less > size {
		return fmt.Errorf("the node has filled it to %d bytes itself", disk.free)
	}
	return file.Truncate(int64(size - less))
}

// grow makes the file longer until only what is to be spared is left.
func grow(file int, spare uint64) (size uint64, err error) {
	for chunk := uint64(fillChunk); ; {
		disk, err := readDisk(file)
		if err != nil {
			return size, err
		}
		step := min(disk.free-min(spare, disk.free), chunk)
		if step == 0 {
			return size, nil
		}
		if size+step > largestFill {
			return size, fmt.Errorf("%d MiB did not fill it", size>>20)
		}
		err = allocate(file, size, step)
		switch {
		case errors.Is(err, unix.ENOSPC):
			// Somebody was faster, or bookkeeping needs some.
			chunk = step / 2
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return size, err
		default:
			size += step
		}
	}
}

// allocate adds to the file; where the file system cannot do it at once, by writing.
func allocate(file int, size, step uint64) error {
	err := unix.Fallocate(file, 0, int64(size), int64(step))
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	zeros := make([]byte, step)
	for len(zeros) > 0 {
		count, err := unix.Pwrite(file, zeros, int64(size))
		if err != nil {
			return err
		}
		zeros, size = zeros[count:], size+uint64(count)
	}
	return nil
}
