//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	engineapi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// sessionLabel is on everything that a session starts, bedLabel on what belongs to one
// of its beds.
const (
	sessionLabel = "org.faultbed.session"
	bedLabel     = "org.faultbed.bed"
)

// errNoContainer says that the engine knows no such container.
var errNoContainer = errors.New("no such container")

// container is what faultd wants to know of one.
type container struct {
	ID, Name, Session string
	Bed               string // empty for none
	Running           bool
	PID               int
	// Shared says that it has no network namespace of its own: its is the host's, or
	// another container's.
	Shared bool
}

// network is what faultd wants to know of one.
type network struct{ ID, Bed string }

// engine is the little that faultd asks of the container engine. Removing what
// is not there is no error.
type engine interface {
	Inspect(ctx context.Context, id string) (container, error)
	// Containers lists a session's containers: their ID and Bed.
	Containers(ctx context.Context, session string) ([]container, error)
	RemoveContainer(ctx context.Context, id string) error
	Networks(ctx context.Context, session string) ([]network, error)
	RemoveNetwork(ctx context.Context, id string) error
	// Disconnect takes a container off a network by force.
	Disconnect(ctx context.Context, network, container string) error
}

// docker is the engine behind /var/run/docker.sock.
type docker struct{ client *client.Client }

func newDocker() (*docker, error) {
	// Not from the environment: the socket is mounted at the default place.
	engine, err := client.New()
	if err != nil {
		return nil, fmt.Errorf("make engine client: %w", err)
	}
	return &docker{client: engine}, nil
}

func (d *docker) Inspect(ctx context.Context, id string) (container, error) {
	result, err := d.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) || err != nil && strings.Contains(err.Error(), "Multiple IDs found") { // the beginning of several
		return container{}, fmt.Errorf("inspect %s: %w", id, errNoContainer)
	}
	if err != nil {
		return container{}, fmt.Errorf("inspect %s: %w", id, err)
	}
	return describe(result.Container), nil
}

// describe picks what is wanted to know.
func describe(c engineapi.InspectResponse) container {
	found := container{ID: c.ID, Name: strings.TrimPrefix(c.Name, "/")}
	if c.Config != nil {
		found.Session = c.Config.Labels[sessionLabel]
	}
	if c.State != nil {
		found.Running, found.PID = c.State.Running, c.State.Pid
	}
	if c.HostConfig != nil {
		found.Shared = c.HostConfig.NetworkMode.IsHost() || c.HostConfig.NetworkMode.IsContainer()
	}
	return found
}

func ofSession(session string) client.Filters {
	return client.Filters{}.Add("label", sessionLabel+"="+session)
}

func (d *docker) Containers(ctx context.Context, session string) ([]container, error) {
	result, err := d.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ofSession(session)})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	found := make([]container, 0, len(result.Items))
	for _, item := range result.Items {
		found = append(found, container{ID: item.ID, Session: session, Bed: item.Labels[bedLabel]})
	}
	return found, nil
}

func (d *docker) RemoveContainer(ctx context.Context, id string) error {
	_, err := d.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

func (d *docker) Networks(ctx context.Context, session string) ([]network, error) {
	result, err := d.client.NetworkList(ctx, client.NetworkListOptions{Filters: ofSession(session)})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	found := make([]network, 0, len(result.Items))
	for _, item := range result.Items {
		found = append(found, network{ID: item.ID, Bed: item.Labels[bedLabel]})
	}
	return found, nil
}

func (d *docker) RemoveNetwork(ctx context.Context, id string) error {
	_, err := d.client.NetworkRemove(ctx, id, client.NetworkRemoveOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove network %s: %w", id, err)
	}
	return nil
}

func (d *docker) Disconnect(ctx context.Context, network, container string) error {
	_, err := d.client.NetworkDisconnect(ctx, network, client.NetworkDisconnectOptions{Container: container, Force: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("disconnect %s from %s: %w", container, network, err)
	}
	return nil
}

// findSelf looks for the container whose main process is this one. The engine
// speaks of the host's process ids, so this also proves --pid=host.
func findSelf(ctx context.Context, engine engine, session string) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, engineWithin)
	defer cancel()
	listed, err := engine.Containers(ctx, session)
	if err != nil {
		return "", fmt.Errorf("ask the engine (is its socket mounted?): %w", err)
	}
	for _, c := range listed {
		found, err := engine.Inspect(ctx, c.ID)
		if errors.Is(err, errNoContainer) {
			continue
		}
		if err != nil {
			return "", err
		}
		if found.PID == os.Getpid() {
			return found.ID, nil
		}
	}
	return "", fmt.Errorf("process %d is the main process of none of the %d containers with label %s=%s: run faultd in one, with --pid=host",
		os.Getpid(), len(listed), sessionLabel, session)
}
