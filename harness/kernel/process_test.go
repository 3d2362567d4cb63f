//go:build linux

package kernel

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable makes this test binary play a node's main process.
const roleVariable = "FAULTBED_KERNEL_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		play(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// play obeys commands of one word, and those of write, from in, and answers each with a line to out.
func play(in io.Reader, out io.Writer) {
	commands := bufio.NewScanner(in)
	fmt.Fprintln(out, "ready")
	for commands.Scan() {
		switch commands.Text() {
		case "fill": // open files until it fails, say why, close them
			var files []*os.File
			file, err := os.Open(os.DevNull)
			for ; err == nil; file, err = os.Open(os.DevNull) {
				files = append(files, file)
				if len(files) == 100 {
					err = errors.New("no limit")
					break
				}
			}
			for _, file := range files {
				_ = file.Close()
			}
			fmt.Fprintf(out, "%d %t\n", len(files), errors.Is(err, unix.EMFILE))
		case "gate": // as images/gate does: answer one connection
			listener, err := net.Listen("unix", gateSocket)
			if err != nil {
				fmt.Fprintln(out, err)
				continue
			}
			fmt.Fprintln(out, "waiting")
			conn, err := listener.Accept()
			if err == nil {
				_, err = io.WriteString(conn, "open\n")
				_ = conn.Close()
			}
			_ = listener.Close()
			fmt.Fprintln(out, "opened", err)
		case "silent": // takes connections and never answers
			listener, err := net.Listen("unix", gateSocket)
			if err != nil {
				fmt.Fprintln(out, err)
				continue
			}
			fmt.Fprintln(out, "waiting")
			conn, _ := listener.Accept()
			_, _ = io.Copy(io.Discard, conn)
			_ = listener.Close()
			fmt.Fprintln(out, "left")
		default:
			fmt.Fprintln(out, write(commands.Text()))
		}
	}
}

// child is a process with a network namespace of its own.
type child struct {
	tb      testing.TB
	node    *Namespace
	process *os.Process
	in      io.Writer
	out     *bufio.Scanner
}

// newChild starts this test binary under the given name.
func newChild(t *testing.T, name string) *child {
	t.Helper()
	requireRoot(t)
	// A copy, so that the executable has the name: a link would be resolved.
	self, err := os.Executable()
	must(t, err)
	path := filepath.Join(t.TempDir(), name)
	if os.Link(self, path) != nil {
		content, err := os.ReadFile(self)
		must(t, err)
		must(t, os.WriteFile(path, content, 0o700))
	}
	command := exec.Command(path)
	command.Env = append(os.Environ(), roleVariable+"=child")
	// It ends with its input, and so with this process. (A death signal would
	// come when the thread that started it is thrown away.)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	command.Stderr = os.Stderr
	must(t, command.Start())
	c := &child{tb: t, process: command.Process, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	c.wants("ready")
	c.node, err = Open(name, command.Process.Pid)
	must(t, err)
	t.Cleanup(c.node.Close)
	return c
}

func (c *child) does(command string) {
	c.tb.Helper()
	_, err := fmt.Fprintln(c.in, command)
	must(c.tb, err)
}

func (c *child) says() string {
	c.tb.Helper()
	if !c.out.Scan() {
		c.tb.Fatalf("the child said nothing more: %v", c.out.Err())
	}
	return c.out.Text()
}

func (c *child) wants(line string) {
	c.tb.Helper()
	if got := c.says(); got != line {
		c.tb.Fatalf("the child said %q, want %q", got, line)
	}
}

func TestDescriptorsRunOutAndComeBack(t *testing.T) {
	c := newChild(t, "node")
	c.does("fill")
	c.wants("100 false")
	before, err := c.node.Descriptors()
	must(t, err)
	free := uint64(0)
	for slices.Contains(before.Numbers, free) {
		free++
	}
	if free < 3 || !slices.IsSorted(before.Numbers) || before.Soft > before.Hard {
		t.Fatalf("descriptors %+v make no sense", before)
	}

	previous, err := c.node.LimitDescriptors(free)
	must(t, err)
	if previous != before.Soft {
		t.Errorf("previous limit %d, want %d", previous, before.Soft)
	}
	c.does("fill")
	c.wants("0 true")
	now, err := c.node.Descriptors()
	must(t, err)
	want := before
	want.Soft = free
	if !reflect.DeepEqual(now, want) {
		t.Errorf("descriptors %+v, want %+v", now, want)
	}
	_, err = c.node.LimitDescriptors(free + 1)
	must(t, err)
	c.does("fill")
	if said := c.says(); said != "1 true" && said != "0 true" { // its number may be taken
		t.Errorf("with room for one: %s", said)
	}

	_, err = c.node.LimitDescriptors(previous)
	must(t, err)
	c.does("fill")
	c.wants("100 false")
	if _, err := c.node.LimitDescriptors(before.Hard + 1); err == nil {
		t.Error("a soft limit above the hard one was accepted")
	}
}

func TestNamespaceIsLetGoWhenItsProcessEnds(t *testing.T) {
	c := newChild(t, "node")
	if !c.node.Alive() {
		t.Fatal("not alive")
	}
	must(t, c.process.Kill())
	eventually(t, "the namespace is let go", func() bool {
		select {
		case <-c.node.Gone():
			return true
		default:
			return false
		}
	})
	if c.node.Alive() {
		t.Error("alive after its end")
	}
	if _, err := c.node.Descriptors(); !errors.Is(err, ErrGone) {
		t.Errorf("descriptors of a process that ended: %v, want ErrGone", err)
	}
	if _, err := c.node.Tables(); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "node node: ") {
		t.Errorf("tables of a namespace that is gone: %v, want ErrGone with the node's name", err)
	}
	if _, err := Open("nobody", c.process.Pid); err == nil {
		t.Error("opened a process that ended")
	}
}

func TestGateOpensOnce(t *testing.T) {
	c := newChild(t, "gate")
	ctx, cancel := context.WithTimeout(t.Context(), silence)
	defer cancel()
	if err := c.node.OpenGate(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a gate that never listens: %v, want a timeout", err)
	}

	opened := make(chan error, 1)
	go func() { opened <- c.node.OpenGate(t.Context()) }()
	c.does("gate") // after the first try, in all likelihood
	c.wants("waiting")
	must(t, <-opened)
	c.wants("opened <nil>")
}

func TestGateThatDiesIsAnError(t *testing.T) {
	c := newChild(t, "gate")
	c.does("silent")
	c.wants("waiting")
	opened := make(chan error, 1)
	go func() { opened <- c.node.OpenGate(t.Context()) }()
	must(t, c.process.Kill())
	if err := <-opened; !errors.Is(err, ErrGone) {
		t.Errorf("open the gate of a dead process: %v, want ErrGone", err)
	}
}

func TestGateOfARunningProgramIsOpen(t *testing.T) {
	c := newChild(t, "peer")
	must(t, c.node.OpenGate(t.Context()))
	path, err := c.node.Executable()
	must(t, err)
	if filepath.Base(path) != "peer" {
		t.Errorf("executable %q", path)
	}
}

func TestHashFile(t *testing.T) {
	c := newChild(t, "node")
	directory := t.TempDir()
	path := filepath.Join(directory, "piece")
	content := []byte("content of a piece")
	must(t, os.WriteFile(path, content, 0o600))
	must(t, os.Symlink(path, filepath.Join(directory, "link")))
	must(t, unix.Mkfifo(filepath.Join(directory, "fifo"), 0o600))

	want := sha256.Sum256(content)
	for _, name := range []string{"piece", "link"} {
		sum, size, err := c.node.HashFile(filepath.Join(directory, name))
		if err != nil || sum != hex.EncodeToString(want[:]) || size != int64(len(content)) {
			t.Errorf("%s: %s, %d, %v", name, sum, size, err)
		}
	}
	if _, _, err := c.node.HashFile(filepath.Join(directory, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want ErrNotExist", err)
	}
	for _, name := range []string{directory, filepath.Join(directory, "fifo"), "/proc/self/exe"} {
		if _, _, err := c.node.HashFile(name); err == nil {
			t.Errorf("%s was hashed", name)
		}
	}
}

func TestTheHostIsRefused(t *testing.T) {
	requireRoot(t)
	if _, err := Open("host", os.Getpid()); !errors.Is(err, ErrHost) {
		t.Errorf("open our own process: %v, want a refusal", err)
	}
	if _, err := Open("host", 1); !errors.Is(err, ErrHost) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("open process 1: %v, want a refusal", err)
	}
}

func TestFactsNeedTheInterface(t *testing.T) {
	c := newChild(t, "node")
	if _, err := c.node.Facts(); err == nil || !strings.Contains(err.Error(), device) {
		t.Errorf("facts of a node without %s: %v", device, err)
	}
}
