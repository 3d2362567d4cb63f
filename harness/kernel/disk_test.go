//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a folder with a tmpfs of 8 MiB, in a mount namespace of the test's own
// thread and of what it starts.
func smallDisk(t *testing.T) string {
	t.Helper()
	requireRoot(t)
	folder := t.TempDir()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	must(t, isolate(folder))
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
	return folder
}

// isolate mounts a tmpfs that only this thread sees.
func isolate(folder string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("tmpfs", folder, "tmpfs", 0, "size=8m")
}

// write is what a child does on "<bytes> <path>": it writes a file, says how that went,
// and removes it.
func write(command string) string {
	var size int
	var path string
	if _, err := fmt.Sscan(command, &size, &path); err != nil {
		return err.Error()
	}
	defer os.Remove(path) //nolint:errcheck // it may not even be there
	err := os.WriteFile(path, make([]byte, size), 0o600)
	switch {
	case err == nil:
		return "written"
	case errors.Is(err, unix.ENOSPC):
		return "no space"
	default:
		return err.Error()
	}
}

func TestFullDiskIsFullToItsProcessAndEmptiedAgain(t *testing.T) {
	for _, spare := range []uint64{0, 4096, 100_000, 1 << 20} {
		t.Run(fmt.Sprint(spare), func(t *testing.T) {
			folder := smallDisk(t)
			c := newChild(t, "node")
			writes := func(size uint64, want string) {
				t.Helper()
				c.does(fmt.Sprintf("%d %s/file", size, folder))
				if got := c.says(); got != want {
					t.Errorf("%d bytes: %s, want %s", size, got, want)
				}
			}
			size, before, err := c.node.Disk(folder)
			must(t, err)
			if size != 8<<20 || before > size || before < size-1<<20 {
				t.Fatalf("disk of %d bytes, %d free; want 8 MiB, nearly empty", size, before)
			}
			writes(4<<20, "written")

			var fills Fills
			must(t, fills.Fill("full", c.node, folder, spare))
			_, free, err := c.node.Disk(folder)
			must(t, err)
			if free < spare || free >= spare+4096 {
				t.Errorf("%d bytes are free, want %d to be spared", free, spare)
			}
			writes(spare, "written")
			writes(spare+4097, "no space")
			if err := fills.Fill("full", c.node, folder, spare); !errors.Is(err, ErrOwnerExists) {
				t.Errorf("the same owner twice: %v, want ErrOwnerExists", err)
			}

			must(t, fills.Remove("full"))
			must(t, fills.Remove("full"))
			if _, after, err := c.node.Disk(folder); err != nil || after != before {
				t.Errorf("%d bytes are free (%v), want %d as before", after, err, before)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
				t.Errorf("left in the folder: %v, %v", left, err)
			}
			writes(4<<20, "written")
		})
	}
}

func TestFillingThatFailsLeavesNothing(t *testing.T) {
	folder := smallDisk(t)
	c := newChild(t, "node")
	var fills Fills
	if err := fills.Fill("full", c.node, filepath.Join(folder, "absent"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v, want ErrNotExist", err)
	}
	var senseless *InvalidError
	if err := fills.Fill("full", c.node, folder, 9<<20); !errors.As(err, &senseless) {
		t.Errorf("9 MiB of 8 to be spared: %v, want a refusal", err)
	}
	// All is well until the file is there.
	root, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(root) //nolint:errcheck // it was only looked at
	if err := fillWith(root, "file", 9<<20); err == nil {
		t.Error("filled so that 9 MiB of 8 are free")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}

	// Somebody else's file of that name stays.
	theirs := filepath.Join(folder, fillName("full"))
	must(t, os.WriteFile(theirs, []byte("x"), 0o600))
	if err := fills.Fill("full", c.node, folder, 0); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file of that name is there: %v, want ErrExist", err)
	}
	must(t, fills.Remove("full"))
	if content, err := os.ReadFile(theirs); err != nil || string(content) != "x" {
		t.Errorf("it is %q now, %v", content, err)
	}
	must(t, os.Remove(theirs))

	// And after all that the owner is free.
	must(t, fills.Fill("full", c.node, folder, 0))
	must(t, c.process.Kill())
	<-c.node.Gone()
	must(t, fills.Remove("full"))
	if err := fills.Fill("full", c.node, folder, 0); !errors.Is(err, ErrGone) {
		t.Errorf("fill the disk of a process that ended: %v, want ErrGone", err)
	}
	if err := fills.Fill("../up", c.node, folder, 0); !errors.As(err, &senseless) {
		t.Errorf("owner ../up: %v, want a refusal", err)
	}
}

func TestLargeDiskIsNotFilled(t *testing.T) {
	folder := filepath.Join(smallDisk(t), "large")
	must(t, os.Mkdir(folder, 0o700))
	must(t, unix.Mount("tmpfs", folder, "tmpfs", 0, "size=1025m"))
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
	c := newChild(t, "node")
	if err := new(Fills).Fill("full", c.node, folder, 0); err == nil || !strings.Contains(err.Error(), "has 1025 MiB free: give the node a small disk") {
		t.Errorf("1025 MiB: %v, want a refusal", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// However small it is: what looks like a container's is the host's.
func TestRootIsNotFilled(t *testing.T) {
	node, _ := newRooted(t)
	if size, _, err := node.Disk("../../.."); err != nil || size != 8<<20 {
		t.Errorf("above the root there are %d bytes, %v; want the root's 8 MiB", size, err)
	}
	if err := new(Fills).Fill("full", node, "/", 0); err == nil || !strings.Contains(err.Error(), "is on the node's root") {
		t.Errorf("the root: %v, want a refusal", err)
	}
}

func TestRoomIsTakenByWritingWhereItCannotBeAllocated(t *testing.T) {
	folder := filepath.Join(smallDisk(t), "plain")
	must(t, os.Mkdir(folder, 0o700))
	must(t, unix.Mount("ramfs", folder, "ramfs", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
	file, err := os.Create(filepath.Join(folder, "file"))
	must(t, err)
	defer file.Close() //nolint:errcheck // only its size matters
	if err := unix.Fallocate(int(file.Fd()), 0, 0, 1); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("ramfs allocates: %v", err)
	}
	must(t, allocate(int(file.Fd()), 0, 10_000))
	must(t, allocate(int(file.Fd()), 10_000, 10_000))
	if info, err := file.Stat(); err != nil || info.Size() != 20_000 {
		t.Errorf("%d bytes, %v; want 20000", info.Size(), err)
	}
}
