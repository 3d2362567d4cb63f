//go:build linux

package kernel

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNamesAreWrittenIntoANodesRoot(t *testing.T) {
	node, root := newRooted(t)
	must(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "etc", "hosts"), []byte(strings.Repeat("longer than what it becomes\n", 9)), 0o644))
	for range 2 { // twice is harmless
		must(t, node.WriteNames("peer-1", netip.AddrFrom4([4]byte{10, 213, 0, 12})))
	}
	for name, want := range map[string]string{
		"resolv.conf": "nameserver 127.0.0.11\noptions ndots:0\n",
		"hosts":       "127.0.0.1\tlocalhost\n10.213.0.12\tpeer-1\n",
	} {
		if got, err := os.ReadFile(filepath.Join(root, "etc", name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if got, err := node.resolvers(); err != nil || len(got) != 2 || got[1] != dockerResolver {
		t.Errorf("asks %v, %v; want Docker's address", got, err)
	}
}

func TestNamesAreWrittenNowhereElse(t *testing.T) {
	node, root := newRooted(t)
	must(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	must(t, os.Symlink("/outside", filepath.Join(root, "etc", "hosts")))
	if err := node.WriteNames("peer-1", netip.AddrFrom4([4]byte{10, 213, 0, 12})); err == nil || !strings.Contains(err.Error(), "open hosts") {
		t.Errorf("a link: %v, want a refusal", err)
	}
	if _, err := os.Lstat(filepath.Join(root, "outside")); err == nil {
		t.Error("a link was followed")
	}

	before, err := os.ReadFile("/etc/hosts")
	must(t, err)
	host := newChild(t, "node").node // it has this test's root
	if err := host.WriteNames("peer-1", netip.AddrFrom4([4]byte{10, 213, 0, 12})); err == nil || !strings.Contains(err.Error(), "it has the host's root") {
		t.Errorf("the host: %v, want a refusal", err)
	}
	if after, err := os.ReadFile("/etc/hosts"); err != nil || string(after) != string(before) {
		t.Errorf("the host's own hosts are now %q, %v", after, err)
	}
}

// newRooted is a node with a root of its own, a file system of 8 MiB, and where that is.
func newRooted(t *testing.T) (node *Namespace, root string) {
	t.Helper()
	requireRoot(t)
	folder, done := t.TempDir(), make(chan struct{})
	started := make(chan error)
	thread := 0
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := isolate(folder)
		if err == nil {
			err = unix.Chroot(folder)
		}
		thread = unix.Gettid()
		started <- err
		<-done
	}()
	must(t, <-started)
	t.Cleanup(func() { close(done) })
	node = &Namespace{name: "node", pid: thread, gone: make(chan struct{}), handle: newNamespace(t)}
	t.Cleanup(node.Close)
	return node, filepath.Join("/proc", strconv.Itoa(thread), "root")
}
