package dragonfly

import (
	"fmt"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Where the official images have their programs and look for configuration.
const (
	managerProgram   = "/opt/dragonfly/bin/server"
	schedulerProgram = "/opt/dragonfly/bin/scheduler"
	dfget            = "/opt/dragonfly/bin/dfget"
	managerFile      = "/etc/dragonfly/manager.yaml"
	schedulerFile    = "/etc/dragonfly/scheduler.yaml"
	daemonFile       = "/etc/dragonfly/dfget.yaml"
)

// Container implements system.System.
func (s *System) Container(t topology.Topology, n topology.Node) (system.Container, error) {
	var (
		c   system.Container
		err error
	)
	switch n.Role {
	case topology.Manager:
		c, err = s.manager(t, n)
	case topology.Supernode:
		c, err = s.scheduler(t, n)
	case topology.Seed, topology.Peer:
		c, err = s.daemon(t, n)
	case topology.Database:
		return s.store(n, s.stores.Database)
	case topology.Cache:
		return s.store(n, s.stores.Cache)
	case topology.Origin:
		ref := s.images["origin"]
		if ref == "" {
			return system.Container{}, fmt.Errorf("node %s: no image for origin: make images", n.Name)
		}
		return system.Container{Image: ref, Cmd: []string{"--rate", fmt.Sprint(t.OriginRate)}}, nil
	default:
		return system.Container{}, fmt.Errorf("node %s: Dragonfly has no role %q", n.Name, n.Role)
	}
	if err != nil {
		return system.Container{}, fmt.Errorf("node %s: %w", n.Name, err)
	}
	c.Foreign = true
	return c, nil
}

func (s *System) manager(t topology.Topology, n topology.Node) (c system.Container, err error) {
	c.Entrypoint = []string{managerProgram}
	if c.Image, err = s.image(n, "manager"); err != nil {
		return c, err
	}
	database, err := first(t, topology.Database)
	if err != nil {
		return c, err
	}
	cache, err := first(t, topology.Cache)
	if err != nil {
		return c, err
	}
	config, err := manager(s.profile, database, cache)
	c.Files = map[string][]byte{managerFile: config}
	// It ends when it cannot open its database.
	c.After = []topology.Role{topology.Database, topology.Cache}
	return c, err
}

func (s *System) scheduler(t topology.Topology, n topology.Node) (c system.Container, err error) {
	c.Entrypoint = []string{schedulerProgram}
	if c.Image, err = s.image(n, "scheduler"); err != nil {
		return c, err
	}
	r, err := s.release(n)
	if err != nil {
		return c, err
	}
	manager, err := first(t, topology.Manager)
	if err != nil {
		return c, err
	}
	cache, err := first(t, topology.Cache)
	if err != nil {
		return c, err
	}
	config, err := scheduler(r, s.profile, n, manager, cache)
	c.Files = map[string][]byte{schedulerFile: config}
	c.After = []topology.Role{topology.Cache, topology.Manager}
	return c, err
}

func (s *System) daemon(t topology.Topology, n topology.Node) (c system.Container, err error) {
	c.Entrypoint, c.Cmd, c.Store = []string{dfget}, []string{"daemon"}, "/var/lib/dragonfly"
	if c.Image, err = s.image(n, string(n.Role)); err != nil {
		return c, err
	}
	manager, err := first(t, topology.Manager)
	if err != nil {
		return c, err
	}
	config, err := daemon(s.profile, n, manager)
	c.Files = map[string][]byte{daemonFile: config}
	// It ends when it can reach no manager, and one that finds no active scheduler at
	// first has to wait for its next refresh.
	c.After = []topology.Role{topology.Manager, topology.Supernode}
	return c, err
}

func (s *System) store(n topology.Node, store Store) (system.Container, error) {
	if store.Image == "" || len(store.Cmd) == 0 {
		return system.Container{}, fmt.Errorf("node %s: no image for the %s", n.Name, n.Role)
	}
	return system.Container{Image: store.Image, Entrypoint: store.Cmd[:1], Cmd: store.Cmd[1:], Env: store.Env, Foreign: true}, nil
}
