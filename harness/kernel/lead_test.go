//go:build linux

package kernel

import (
	"bufio"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// A node's resolvers are those that it has been told, whatever its root looks like.
func TestResolversAreTheNodesOwn(t *testing.T) {
	requireRoot(t)
	own := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(own, []byte("# a comment\nnameserver 10.9.0.3\nnameserver fe80::1\nnameserver 127.0.0.11\nsearch test\noptions ndots:0\n"), 0o600))
	command := exec.Command("sh", "-ec", `mount --make-rprivate /; mount --bind "$1" /etc/resolv.conf; echo ready; exec cat`, "sh", own)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() { _ = in.Close(); _ = command.Wait() })
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the node did not start")
	}
	node, err := Open("node", command.Process.Pid)
	must(t, err)
	t.Cleanup(node.Close)

	got, err := node.resolvers()
	must(t, err)
	if want := []netip.Addr{dockerResolver, netip.MustParseAddr("10.9.0.3"), dockerResolver}; !slices.Equal(got, want) {
		t.Errorf("resolvers %v, want %v", got, want)
	}
	var spoofs Spoofs
	must(t, spoofs.Add("names", []*Namespace{node}, Spoof{Answer: AnswerSilence}))
	must(t, spoofs.Remove("names"))
	node.Close()
	if _, err := node.resolvers(); err == nil {
		t.Error("a closed namespace has resolvers")
	}
}
