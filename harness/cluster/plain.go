package cluster

import (
	"context"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// RunPlain asks the engine what `docker run -d` asks it, create and start, and nothing
// else: the yardstick for Run. Remove the container in any case when there is an id.
func (e *Engine) RunPlain(ctx context.Context, s Spec) (id string, err error) {
	endpoint := &network.EndpointSettings{
		Aliases: []string{s.Host}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: s.Address},
	}
	return e.createAndStart(ctx, s, client.ContainerCreateOptions{
		Config:           &container.Config{Hostname: s.Host},
		HostConfig:       &container.HostConfig{NetworkMode: container.NetworkMode(s.Network.Name)},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{s.Network.Name: endpoint}},
	})
}

// RunBeside does what `docker run --network container:X --cap-add NET_ADMIN` does, X
// being the container of that id, and returns when the program has ended. Remove the
// container in any case when there is an id.
func (e *Engine) RunBeside(ctx context.Context, beside string, s Spec) (id string, err error) {
	id, err = e.createAndStart(ctx, s, client.ContainerCreateOptions{
		Config:     &container.Config{},
		HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode("container:" + beside), CapAdd: []string{"NET_ADMIN"}},
	})
	if err != nil {
		return id, err
	}
	ended := e.client.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case result := <-ended.Result:
		if result.StatusCode != 0 {
			return id, fmt.Errorf("container %s ended with status %d", s.Name, result.StatusCode)
		}
		return id, nil
	case err := <-ended.Error:
		return id, fmt.Errorf("wait for the end of container %s: %w", s.Name, err)
	}
}

func (e *Engine) createAndStart(ctx context.Context, s Spec, o client.ContainerCreateOptions) (id string, err error) {
	o.Name = s.Name
	o.Config.Image, o.Config.Entrypoint, o.Config.Cmd, o.Config.Labels = s.Image, s.Entrypoint, s.Cmd, s.Labels
	for name, value := range s.Env {
		o.Config.Env = append(o.Config.Env, name+"="+value)
	}
	made, err := e.client.ContainerCreate(ctx, o)
	if err != nil {
		return "", fmt.Errorf("create container %s: %w", s.Name, err)
	}
	return made.ID, e.Start(ctx, made.ID)
}
