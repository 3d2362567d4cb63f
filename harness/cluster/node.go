package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// Resolver is where a container asks for names: the engine's own, or who takes its place in
// one that is isolated.
var Resolver = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// Spec is one container to be.
type Spec struct {
	Name       string // unique on the engine
	Host       string // its host name and its alias on Network
	Image      string
	Entrypoint []string // of the image if nil
	Cmd        []string
	Env        map[string]string
	Labels     map[string]string
	// Network and Address are where the engine puts it; on its default network if there are none.
	Network Network
	Address netip.Addr
	// Isolated leaves it without any network, for somebody else to put it on one. (The engine
	// also has a network "none"; but who leaves one that many are on can block the engine for
	// good: sandbox.delete and processEndpointDelete of libnetwork take the locks of network
	// and controller in opposite orders, seen on 20.10 once in some 10,000 containers.)
	Isolated bool
	Files    []File
	// Descriptors is RLIMIT_NOFILE, hard and soft; 0 is the engine's own.
	Descriptors int
	// Sysctls are those of its network namespace.
	Sysctls map[string]string
	// Tmpfs are folders with a file system of their own in memory, and its size in bytes.
	Tmpfs   map[string]int64
	Publish []string // ports published on 127.0.0.1, "50051/tcp"
	// HostPID, Caps and Socket are faultd's; nodes have none of them.
	HostPID bool
	Caps    []string // all others are dropped when given
	Socket  string   // path of the engine's socket on its host, mounted at the same place
}

// File is put into a container before it starts.
type File struct {
	Path    string // absolute, in the container
	Content []byte
	Mode    int64
}

// Node is a container that was started.
type Node struct {
	Name string
	ID   string
	Host string
	c    testcontainers.Container
}

// Run starts a container and returns once its first process runs. The node is never
// nil when something was created, also with an error: remove it in any case.
func (e *Engine) Run(ctx context.Context, s Spec) (*Node, error) {
	options := []testcontainers.ContainerCustomizer{
		testcontainers.WithName(s.Name),
		testcontainers.WithLabels(s.Labels),
		testcontainers.WithEnv(s.Env),
		testcontainers.WithCmd(s.Cmd...),
		testcontainers.WithConfigModifier(func(c *container.Config) { c.Hostname, c.NetworkDisabled = s.Host, s.Isolated }),
		testcontainers.WithHostConfigModifier(s.host),
	}
	if s.Entrypoint != nil {
		options = append(options, testcontainers.WithEntrypoint(s.Entrypoint...))
	}
	for _, f := range s.Files {
		options = append(options, testcontainers.WithFiles(testcontainers.ContainerFile{
			Reader: bytes.NewReader(f.Content), ContainerFilePath: f.Path, FileMode: f.Mode,
		}))
	}
	if len(s.Publish) > 0 {
		options = append(options, testcontainers.WithExposedPorts(s.Publish...))
	}
	if s.Network.ID != "" {
		options = append(options, testcontainers.CustomizeRequestOption(func(r *testcontainers.GenericContainerRequest) error {
			r.Networks = []string{s.Network.Name}
			r.NetworkAliases = map[string][]string{s.Network.Name: {s.Host}}
			return nil
		}), testcontainers.WithEndpointSettingsModifier(func(all map[string]*network.EndpointSettings) {
			for _, endpoint := range all {
				endpoint.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: s.Address}
			}
		}))
	}
	c, err := testcontainers.Run(ctx, s.Image, append(options, testcontainers.WithNoStart())...)
	var node *Node
	if c != nil {
		node = &Node{Name: s.Name, ID: c.GetContainerID(), Host: s.Host, c: c}
	}
	if err == nil {
		err = c.Start(ctx)
	}
	if err != nil {
		return node, fmt.Errorf("start container %s: %w", s.Name, err)
	}
	return node, nil
}

func (s Spec) host(h *container.HostConfig) {
	if s.HostPID {
		h.PidMode = "host"
	}
	if n := int64(s.Descriptors); n > 0 {
		h.Ulimits = append(h.Ulimits, &container.Ulimit{Name: "nofile", Soft: n, Hard: n})
	}
	h.Sysctls = s.Sysctls
	for folder, size := range s.Tmpfs {
		if h.Tmpfs == nil {
			h.Tmpfs = map[string]string{}
		}
		h.Tmpfs[folder] = fmt.Sprintf("size=%d,mode=0755", size)
	}
	if s.Caps != nil {
		h.CapDrop, h.CapAdd = []string{"ALL"}, s.Caps
	}
	if s.Socket != "" {
		h.Binds = append(h.Binds, s.Socket+":/var/run/docker.sock")
	}
	if len(s.Publish) > 0 {
		h.PortBindings = network.PortMap{}
		for _, p := range s.Publish {
			h.PortBindings[network.MustParsePort(p)] = []network.PortBinding{{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1})}}
		}
	}
}

// Endpoint is where a published port is reached from here: host:port.
func (n *Node) Endpoint(ctx context.Context, port string) (string, error) {
	endpoint, err := n.c.PortEndpoint(ctx, port, "")
	if err != nil {
		return "", fmt.Errorf("published port %s of %s: %w", port, n.Name, err)
	}
	return endpoint, nil
}

// RemoveNode kills and removes a container with its volumes; gone already is no error.
func (e *Engine) RemoveNode(ctx context.Context, id string) error {
	_, err := e.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !goneOrGoing(err) {
		return fmt.Errorf("remove container %.12s: %w", id, err)
	}
	return nil
}

// Pause freezes all processes of the container.
func (e *Engine) Pause(ctx context.Context, id string) error {
	if _, err := e.client.ContainerPause(ctx, id, client.ContainerPauseOptions{}); err != nil {
		return fmt.Errorf("pause container %.12s: %w", id, err)
	}
	return nil
}

// Unpause thaws the container; one that is not paused, or gone, or has died in its
// sleep, is no error.
func (e *Engine) Unpause(ctx context.Context, id string) error {
	_, err := e.client.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	found, inspectErr := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if inspectErr == nil && found.Container.State != nil && !found.Container.State.Paused {
		return nil
	}
	return fmt.Errorf("unpause container %.12s: %w", id, err)
}

// Runs says whether the container's first process lives and is not paused.
func (e *Engine) Runs(ctx context.Context, id string) (bool, error) {
	found, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return false, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	state := found.Container.State
	return state != nil && state.Running && !state.Paused, nil
}

// Ended says how the container's first process ended: its exit status.
func (e *Engine) Ended(ctx context.Context, id string) (status int, err error) {
	found, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return 0, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	if found.Container.State == nil || found.Container.State.Running {
		return 0, fmt.Errorf("container %.12s has not ended", id)
	}
	return found.Container.State.ExitCode, nil
}

// Stop asks the first process of a container to end, with SIGTERM, and kills it after
// grace.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(grace.Seconds())
	if _, err := e.client.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &seconds}); err != nil {
		return fmt.Errorf("stop container %.12s: %w", id, err)
	}
	return nil
}

// Kill sends SIGKILL to the first process of a container and waits until it is gone.
func (e *Engine) Kill(ctx context.Context, id string) error {
	gone := e.client.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	if _, err := e.client.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "SIGKILL"}); err != nil && !errdefs.IsConflict(err) {
		return fmt.Errorf("kill container %.12s: %w", id, err)
	}
	select {
	case <-gone.Result:
		return nil
	case err := <-gone.Error:
		return fmt.Errorf("wait for the end of container %.12s: %w", id, err)
	}
}

// Start starts a container that was killed: the same file system, a new network namespace.
func (e *Engine) Start(ctx context.Context, id string) error {
	if _, err := e.client.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("start container %.12s again: %w", id, err)
	}
	return nil
}

// Exec runs a command in the container and returns what it printed and its exit code.
func (e *Engine) Exec(ctx context.Context, id string, cmd []string) (stdout, stderr []byte, code int, err error) {
	fail := func(err error) ([]byte, []byte, int, error) {
		return nil, nil, -1, fmt.Errorf("run %s in container %.12s: %w", cmd[0], id, err)
	}
	made, err := e.client.ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: cmd, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return fail(err)
	}
	attached, err := e.client.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return fail(err)
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, attached.Close) // the stream itself knows no context
	defer stop()
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, attached.Reader); err != nil && !errors.Is(err, io.EOF) {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fail(err)
	}
	if ctx.Err() != nil {
		return fail(ctx.Err())
	}
	for {
		done, err := e.client.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
		if err != nil {
			return fail(err)
		}
		if !done.Running {
			return out.Bytes(), errs.Bytes(), done.ExitCode, nil
		}
		select { // its output has ended; the engine learns of the exit a moment later
		case <-ctx.Done():
			return fail(ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Logs returns all that the container printed, stdout and stderr in order.
func (e *Engine) Logs(ctx context.Context, id string) ([]byte, error) {
	stream, err := e.client.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return nil, fmt.Errorf("logs of container %.12s: %w", id, err)
	}
	defer stream.Close() //nolint:errcheck // read to its end below
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, stream); err != nil {
		return nil, fmt.Errorf("logs of container %.12s: %w", id, err)
	}
	return out.Bytes(), nil
}

// Inspect returns what the engine knows of the container, as JSON.
func (e *Engine) Inspect(ctx context.Context, id string) ([]byte, error) {
	found, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	text, err := json.MarshalIndent(found.Container, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	return text, nil
}
