//go:build linux

package main

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/faultbed/faultbed/harness/agent"
)

func TestFillRoundTrip(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test mounts file systems")
	}
	// The node is started by this thread and sees what it mounts; nobody else does.
	folder, large := t.TempDir(), t.TempDir()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	must(t, unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for path, size := range map[string]string{folder: "size=1m", large: "size=2g"} {
		must(t, unix.Mount("tmpfs", path, "tmpfs", 0, size))
		t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
	}
	process := startNode(t)
	const id = "0123456789abcdef"
	engine := &fakeEngine{containers: map[string]container{
		id: {ID: id, Name: "peer-1", Session: mine, Running: true, PID: process.Pid},
	}}
	client := dial(t, serve(t, engine, newLease(time.Hour, time.Hour)))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()

	size, before, err := client.Disk(ctx, id, folder)
	must(t, err)
	if size != 1<<20 || before == 0 || before > size {
		t.Errorf("disk of %d bytes, %d free; want 1 MiB", size, before)
	}
	must(t, client.Fill(ctx, "full", id, folder, 8192))
	if err := client.Fill(ctx, "full", id, folder, 8192); !errors.Is(err, agent.ErrExists) {
		t.Errorf("the same owner twice: %v, want ErrExists", err)
	}
	if _, free, err := client.Disk(ctx, id, folder); err != nil || free != 8192 {
		t.Errorf("%d bytes are free, %v; want 8192", free, err)
	}
	must(t, client.Unfill(ctx, "full"))
	must(t, client.Unfill(ctx, "full"))
	if _, free, err := client.Disk(ctx, id, folder); err != nil || free != before {
		t.Errorf("%d bytes are free, %v; want %d as before", free, err, before)
	}
	if err := client.Fill(ctx, "full", id, large, 0); err == nil || !strings.Contains(err.Error(), "give the node a small disk") {
		t.Errorf("2 GiB: %v, want a refusal", err)
	}
	if _, _, err := client.Disk(ctx, id, folder+"x"); err == nil {
		t.Error("the disk of a folder that is not there")
	}
	if _, _, err := client.Disk(ctx, "absent", folder); !errors.Is(err, agent.ErrNodeGone) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the disk of nobody: %v, want ErrNodeGone", err)
	}
}
