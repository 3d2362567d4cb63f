//go:build linux

package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Flow is what the shape with index Rate, as given to Add, has let pass on Node.
type Flow struct {
	Node string
	Rate int
	// Packets and Bytes that have left; bytes of Ethernet frames, as the rate.
	Packets, Bytes uint64
	// Delayed is how often the rate was used up, so that what came next waited.
	Delayed uint64
	// Dropped packets found more than a thousand waiting.
	Dropped uint64
}

// Shapes knows who bounds which links. The zero value is empty.
type Shapes struct {
	mu    sync.Mutex
	wires map[*Namespace]*wire
	held  map[string][]*wire
}

// Add bounds links for the owner: all, or none and an error. A link has one rate for
// each direction: a second owner's is refused.
func (s *Shapes) Add(owner string, shapes []Shape) error {
	if err := checkOwner(owner); err != nil {
		return err
	}
	for i, shape := range shapes {
		if err := shape.check(); err != nil {
			return fmt.Errorf("rate %d on node %s: %w", i, shape.Namespace.name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.held[owner]; known {
		return fmt.Errorf("owner %q: %w", owner, ErrOwnerExists)
	}
	if s.held == nil {
		s.held, s.wires = map[string][]*wire{}, map[*Namespace]*wire{}
	}
	s.held[owner] = nil
	for i, shape := range shapes {
		here := s.wires[shape.Namespace]
		if here == nil {
			here = newWire(shape.Namespace)
			s.wires[shape.Namespace] = here
		}
		if !slices.Contains(s.held[owner], here) {
			s.held[owner] = append(s.held[owner], here)
		}
		if err := here.enter(owner, i, shape); err != nil {
			return errors.Join(fmt.Errorf("rate %d on node %s: %w", i, shape.Namespace.name, err), s.remove(owner))
		}
	}
	if err := s.each(owner, (*wire).lay); err != nil {
		return errors.Join(err, s.remove(owner))
	}
	return nil
}

// Remove takes exactly the owner's rates away, and the queue that they needed with the
// last of all. What waits goes at once. An owner that has none is no error, and neither
// is a namespace that is gone. What could not be undone stays for another try.
func (s *Shapes) Remove(owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(owner)
}

func (s *Shapes) remove(owner string) error {
	failed := s.each(owner, (*wire).clear)
	var left []*wire
	for _, here := range s.held[owner] {
		if len(here.of(owner)) > 0 {
			left = append(left, here)
		}
		if len(here.classes) == 0 {
			delete(s.wires, here.namespace)
		}
	}
	if len(left) > 0 {
		s.held[owner] = left
	} else {
		delete(s.held, owner)
	}
	return failed
}

// each does something on all of the owner's wires at once.
func (s *Shapes) each(owner string, do func(*wire, string) error) error {
	var group errgroup.Group
	for _, here := range s.held[owner] {
		group.Go(func() error { return do(here, owner) })
	}
	return group.Wait()
}

// Flows says what each of the owner's shapes has let pass so far, but for those in
// namespaces that are gone.
func (s *Shapes) Flows(owner string) ([]Flow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var flows []Flow
	for _, here := range s.held[owner] {
		some, err := here.flows(owner)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		flows = append(flows, some...)
	}
	slices.SortFunc(flows, func(x, y Flow) int { return cmp.Compare(x.Rate, y.Rate) })
	return flows, nil
}
