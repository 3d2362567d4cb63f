//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/faultbed/faultbed/harness/kernel"
)

// errNotOurs says that a container does not run, or is not of the session.
var errNotOurs = errors.New("is no running container of this session")

// nodes knows the session's containers by id, and keeps their namespaces open
// for as long as their main process lives.
type nodes struct {
	engine  engine
	session string

	mu sync.Mutex
	// open has a namespace under its container's full id, and under the id that
	// it was asked for with.
	open map[string]*kernel.Namespace
}

func newNodes(engine engine, session string) *nodes {
	return &nodes{engine: engine, session: session, open: map[string]*kernel.Namespace{}}
}

// Find returns a node's namespace. After a restart of its container that is
// another one than before.
func (n *nodes) Find(ctx context.Context, id string) (*kernel.Namespace, error) {
	if id == "" {
		return nil, fmt.Errorf("node without id: %w", errNotOurs)
	}
	n.mu.Lock()
	namespace := n.open[id]
	n.mu.Unlock()
	if namespace != nil && namespace.Alive() {
		return namespace, nil
	}

	found, err := n.engine.Inspect(ctx, id)
	if errors.Is(err, errNoContainer) {
		return nil, fmt.Errorf("node %s: %w: %w", short(id), errNotOurs, err)
	}
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", short(id), err)
	}
	name := fmt.Sprintf("%s (%s)", found.Name, short(found.ID))
	if found.Session != n.session {
		return nil, fmt.Errorf("node %s: %w: its label %s is %q", name, errNotOurs, sessionLabel, found.Session)
	}
	if found.Shared {
		return nil, fmt.Errorf("node %s: %w: it is on the network of others, the host or another container, which is never touched", name, errNotOurs)
	}
	if !found.Running || found.PID == 0 {
		return nil, fmt.Errorf("node %s: %w: it does not run", name, errNotOurs)
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	// One namespace per container, whoever was first and by whatever id.
	namespace = n.open[found.ID]
	if namespace == nil || !namespace.Alive() {
		namespace, err = kernel.Open(name, found.PID)
		if errors.Is(err, kernel.ErrHost) {
			err = fmt.Errorf("%w: %w", err, errNotOurs)
		}
		if err != nil {
			return nil, err
		}
	}
	n.open[found.ID], n.open[id] = namespace, namespace
	return namespace, nil
}

func short(id string) string { return id[:min(len(id), 12)] }
