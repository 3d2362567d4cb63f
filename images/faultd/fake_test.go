//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/harness/agent"
)

const (
	// soon bounds what must happen; generous, for two busy cores.
	soon = 10 * time.Second

	mine  = "session-1"
	token = "a secret"
)

// fakeEngine is an engine in memory. Its containers and networks are labelled
// with sessions; a network cannot be removed while containers of its session
// are there.
type fakeEngine struct {
	mu         sync.Mutex
	containers map[string]container
	networks   map[string]string // id to session
	bedOf      map[string]string // network to bed
	attached   map[string]string // network to container
	inspected  int
	removed    []string
	// late appears when the first container is removed.
	late *container
	// leaving counts the containers of a bed whose removal is under way, and crowded
	// the most that there were.
	leaving map[string]int
	crowded map[string]int
	// slow is how long a removal takes.
	slow time.Duration
	// stubborn is how many removals fail.
	stubborn int
}

func (f *fakeEngine) Inspect(_ context.Context, id string) (container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inspected++
	for full, c := range f.containers {
		if full == id || full[:min(len(full), len(id))] == id {
			return c, nil
		}
	}
	return container{}, fmt.Errorf("inspect %s: %w", id, errNoContainer)
}

func (f *fakeEngine) Containers(_ context.Context, session string) (found []container, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, c := range f.containers {
		if c.Session == session {
			c.ID = id
			found = append(found, c)
		}
	}
	return found, nil
}

func (f *fakeEngine) RemoveContainer(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slow > 0 {
		bed := f.containers[id].Bed
		f.leaving[bed]++
		f.crowded[bed] = max(f.crowded[bed], f.leaving[bed])
		f.mu.Unlock()
		<-time.After(f.slow)
		f.mu.Lock()
		f.leaving[bed]--
	}
	if f.stubborn > 0 {
		f.stubborn--
		return errors.New("removal is in progress")
	}
	delete(f.containers, id)
	f.removed = append(f.removed, id)
	if f.late != nil {
		f.containers[f.late.ID] = *f.late
		f.late = nil
	}
	return nil
}

func (f *fakeEngine) Networks(_ context.Context, session string) (found []network, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, owner := range f.networks {
		if owner == session {
			found = append(found, network{ID: id, Bed: f.bedOf[id]})
		}
	}
	return found, nil
}

func (f *fakeEngine) RemoveNetwork(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attached[id] != "" {
		return errors.New("network has active endpoints")
	}
	delete(f.networks, id)
	f.removed = append(f.removed, id)
	return nil
}

func (f *fakeEngine) Disconnect(_ context.Context, network, container string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attached[network] == container {
		delete(f.attached, network)
	}
	return nil
}

func (f *fakeEngine) left() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.containers {
		names = append(names, id)
	}
	for id := range f.networks {
		names = append(names, id)
	}
	slices.Sort(names)
	return names
}

// serve runs faultd's server on loopback, without Docker.
func serve(t *testing.T, engine engine, lease *lease) (address string) {
	t.Helper()
	return listen(t, newServer(mine, token, engine, lease, newTenants(time.Hour, func(string) {}), &networks{}))
}

func serveTenants(t *testing.T, tenants *tenants) (address string) {
	t.Helper()
	return listen(t, newServer(mine, token, &fakeEngine{}, newLease(time.Hour, time.Hour), tenants, &networks{}))
}

func listen(t *testing.T, server *grpc.Server) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(server.Stop)
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String()
}

func dial(t *testing.T, address string) *agent.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	client, err := agent.Dial(ctx, address, token)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// roleVariable makes this test binary play a node: it says that it is ready,
// and ends with its input.
const roleVariable = "FAULTBED_FAULTD_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		fmt.Fprintln(os.Stdout, "ready")
		bufio.NewScanner(os.Stdin).Scan()
		return
	}
	os.Exit(m.Run())
}

// startNode starts a process with a network namespace of its own.
func startNode(t *testing.T) *os.Process {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test makes a network namespace")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test makes a network namespace: run it as root (sudo go test ./images/faultd/), or leave it out with -short")
	}
	self, err := os.Executable()
	must(t, err)
	command := exec.Command(self)
	command.Env = append(os.Environ(), roleVariable+"=node")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the node did not start")
	}
	return command.Process
}
