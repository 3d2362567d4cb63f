//go:build linux

package kernel

import (
	"errors"
	"sync"
)

// Offloads knows who wants offloads to be off where. The zero value is empty.
type Offloads struct {
	mu   sync.Mutex
	held map[*Namespace]*held
}

// held is one namespace whose offloads are off: what to restore, and for whom
// they are off.
type held struct {
	former map[string]bool
	owners map[string]bool
}

// Disable switches offloads off in all of the namespaces, or nowhere and says
// why. The same owner may ask again.
func (o *Offloads) Disable(owner string, namespaces []*Namespace) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		o.held = map[*Namespace]*held{}
	}
	for _, namespace := range namespaces {
		if err := o.disable(owner, namespace); err != nil {
			return errors.Join(err, o.restore(owner))
		}
	}
	return nil
}

func (o *Offloads) disable(owner string, namespace *Namespace) error {
	if here := o.held[namespace]; here != nil {
		here.owners[owner] = true
		return nil
	}
	states, err := namespace.Offloads()
	if err != nil {
		return err
	}
	former, wish := map[string]bool{}, map[string]bool{}
	for name, on := range states {
		if on {
			former[name], wish[name] = true, false
		}
	}
	// Entered before the change, so that a half-made change is restored too.
	o.held[namespace] = &held{former: former, owners: map[string]bool{owner: true}}
	return namespace.setOffloads(wish)
}

// Restore ends the owner's wish everywhere. Where it was the last, what was on
// before is switched on again. Twice is harmless, and so is a namespace that is
// gone; what could not be restored is kept for another try.
func (o *Offloads) Restore(owner string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.restore(owner)
}

func (o *Offloads) restore(owner string) error {
	var failed error
	for namespace, here := range o.held {
		if !here.owners[owner] {
			continue
		}
		if len(here.owners) == 1 {
			if err := namespace.setOffloads(here.former); err != nil && !errors.Is(err, ErrGone) {
				failed = errors.Join(failed, err)
				continue
			}
			delete(o.held, namespace)
			continue
		}
		delete(here.owners, owner)
	}
	return failed
}
