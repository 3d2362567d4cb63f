// Package cluster is the container engine as Faultbed uses it: it finds the
// engine, builds the images under images/, starts nodes and networks, and finds
// again what a killed run left behind. It is the only package that imports
// testcontainers or the engine's own client.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// Labels on everything that Faultbed starts. Whoever cleans up goes by them alone.
const (
	// LabelSession names the run of the suite, one per process that starts beds.
	LabelSession = "org.faultbed.session"
	// LabelBed names the bed inside its session.
	LabelBed = "org.faultbed.bed"
	// LabelNode is the node's name inside its bed.
	LabelNode = "org.faultbed.node"
	// LabelRole is supernode, seed, peer, origin, crowd, toxiproxy or faultd.
	LabelRole = "org.faultbed.role"
	// LabelScenario is the name of the scenario that the bed belongs to.
	LabelScenario = "org.faultbed.scenario"
	// LabelImage is on every image built from images/: the folder's name.
	LabelImage = "org.faultbed.image"
)

// RoleFaultd is the role of the helper that lives as long as its session.
const RoleFaultd = "faultd"

// MinAPI is the oldest engine API that Faultbed works with (Docker Engine 20.10).
const MinAPI = "1.41"

// connectWithin bounds the search for an engine: a socket that accepts and never
// answers must not hang the command line.
const connectWithin = 10 * time.Second

// Engine is a container engine that answered.
type Engine struct {
	client *client.Client
}

// Connect finds the engine the way testcontainers does (its properties file,
// DOCKER_HOST, the context of the docker command, the default socket) and returns
// once it has answered. It prepares testcontainers' environment: Ryuk off, as faultd
// reaps, and a local engine's published ports looked for on 127.0.0.1. What the user
// has set stays. The error is one line that ends in what to do.
func Connect(ctx context.Context) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	tclog.SetDefault(tclog.NewNoopLogger())
	if err := setDefault("TESTCONTAINERS_RYUK_DISABLED", "true"); err != nil {
		return nil, err
	}
	if host := contextHost(); host != "" {
		if err := setDefault("DOCKER_HOST", host); err != nil {
			return nil, err
		}
	}
	if err := answers(ctx, os.Getenv("DOCKER_HOST")); err != nil {
		return nil, explain(err)
	}
	found, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, explain(err)
	}
	e := &Engine{client: found.Client}
	if _, err := e.client.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return nil, explain(err)
	}
	if e.Local() {
		if err := setDefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1"); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// answers fails when host is named and does not answer. Testcontainers would go on to
// the default socket, and what was meant for one engine would run on another.
func answers(ctx context.Context, host string) error {
	if host == "" {
		return nil
	}
	named, err := client.New(client.FromEnv, client.WithHost(host))
	if err != nil {
		return fmt.Errorf("DOCKER_HOST=%s: %w", host, err)
	}
	_, err = named.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	if err := errors.Join(err, named.Close()); err != nil {
		return fmt.Errorf("DOCKER_HOST=%s: %w", host, err)
	}
	return nil
}

// Client is the engine's own client, for what Engine has no verb for.
func (e *Engine) Client() *client.Client { return e.client }

// Close drops idle connections to the engine.
func (e *Engine) Close() error { return e.client.Close() }

// Local says whether the engine is on this machine (or pretends to be, as a desktop
// engine does), so that published ports are reached on 127.0.0.1.
func (e *Engine) Local() bool {
	host := e.client.DaemonHost()
	return strings.HasPrefix(host, "unix://") || strings.HasPrefix(host, "npipe://")
}

// Info is the machine under the engine.
type Info struct {
	Version     string // of the engine, "20.10.24"
	API         string // newest API that it speaks, "1.41"
	Arch        string // as Go names it, "amd64"
	Kernel      string
	CPUs        int
	MemoryBytes int64
	Local       bool
	// What the control groups of containers can bound.
	BoundsCPU, BoundsMemory bool
}

// Info asks the engine what it is and what it runs on.
func (e *Engine) Info(ctx context.Context) (Info, error) {
	version, err := e.client.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return Info{}, fmt.Errorf("ask the engine for its version: %w", err)
	}
	info, err := e.client.Info(ctx, client.InfoOptions{})
	if err != nil {
		return Info{}, fmt.Errorf("ask the engine about its machine: %w", err)
	}
	return Info{
		Version: version.Version, API: version.APIVersion, Arch: version.Arch,
		Kernel: info.Info.KernelVersion, CPUs: info.Info.NCPU, MemoryBytes: info.Info.MemTotal,
		Local: e.Local(), BoundsCPU: info.Info.CPUCfsQuota, BoundsMemory: info.Info.MemoryLimit,
	}, nil
}

// Image looks an image up on the engine; nothing is pulled. The digest is the
// registry's where there is one, else the image's own id.
func (e *Engine) Image(ctx context.Context, ref string) (digest string, found bool, err error) {
	image, err := e.client.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look up image %s: %w", ref, err)
	}
	for _, repo := range image.RepoDigests {
		if _, digest, ok := strings.Cut(repo, "@"); ok {
			return digest, true, nil
		}
	}
	return image.ID, true, nil
}

// explain turns what a failed connection said, often three errors joined, into one
// line that ends in what to do.
func explain(err error) error {
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, fs.ErrPermission) || strings.Contains(text, "permission denied"):
		return fmt.Errorf("container engine: permission denied on its socket: add yourself to group docker: sudo usermod -aG docker $USER, then log in again (%w)", brief{err})
	case strings.Contains(text, "minimum supported api version"), strings.Contains(text, "client version") && strings.Contains(text, "too"):
		return fmt.Errorf("container engine too old: install Docker Engine 20.10 (API %s) or newer (%w)", MinAPI, brief{err})
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("container engine: no answer within %s: restart it: sudo systemctl restart docker, or check DOCKER_HOST (%w)", connectWithin, brief{err})
	case errors.Is(err, syscall.ECONNREFUSED), client.IsErrConnectionFailed(err), strings.Contains(text, "socket not found"),
		strings.Contains(text, "docker daemon"), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("container engine: none answers: start it: sudo systemctl start docker, or set DOCKER_HOST (%w)", brief{err})
	default:
		return fmt.Errorf("container engine: cannot be used: check DOCKER_HOST (%w)", brief{err})
	}
}

// brief says an error in one line, the first of those that it joins.
type brief struct{ error }

func (b brief) Unwrap() error { return b.error }

func (b brief) Error() string {
	line, _, _ := strings.Cut(b.error.Error(), "\n")
	return line
}

func setDefault(name, value string) error {
	if _, set := os.LookupEnv(name); set {
		return nil
	}
	if err := os.Setenv(name, value); err != nil {
		return fmt.Errorf("prepare environment: %w", err)
	}
	return nil
}
