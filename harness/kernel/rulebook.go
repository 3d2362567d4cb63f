//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// ErrOwnerExists says that an owner has rules in force already.
var ErrOwnerExists = errors.New("owner has rules already")

// owners is what an owner may be called: it becomes part of a table's name.
var owners = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Placement is a rule and the namespace where its packets arrive. Node is what
// the caller calls that namespace.
type Placement struct {
	Node      string
	Namespace *Namespace
	Rule      Rule
}

// Tally is what the rule with index Rule, as given to Add, has matched on Node.
type Tally struct {
	Node string
	Rule int
	Count
}

// Rulebook knows which owner has rules where. The zero value is empty.
type Rulebook struct {
	mu    sync.Mutex
	pages map[string]*page
}

// page is what one owner has in force. Its lock is held while tables change, so
// that an owner's calls come one after another.
type page struct {
	mu    sync.Mutex
	rules map[*Namespace]*sheet
}

// sheet is an owner's rules in one namespace, with their indices.
type sheet struct {
	rules   []Rule
	indices []int
	nodes   []string
}

// Add puts the owner's rules in force: all, or none and an error.
func (b *Rulebook) Add(owner string, placements []Placement) error {
	if !owners.MatchString(owner) {
		return fmt.Errorf("owner %q: want 1 to 64 of a-z, 0-9 and -", owner)
	}
	added := &page{rules: map[*Namespace]*sheet{}}
	for i, placement := range placements {
		if err := placement.Rule.check(); err != nil {
			return fmt.Errorf("rule %d on node %s: %w", i, placement.Namespace.name, err)
		}
		here := added.rules[placement.Namespace]
		if here == nil {
			here = &sheet{}
			added.rules[placement.Namespace] = here
		}
		here.rules = append(here.rules, placement.Rule)
		here.indices = append(here.indices, i)
		here.nodes = append(here.nodes, placement.Node)
	}

	added.mu.Lock()
	defer added.mu.Unlock()
	if !b.enter(owner, added) {
		return fmt.Errorf("owner %q: %w", owner, ErrOwnerExists)
	}
	return b.write(owner, added)
}

// write adds a page's tables, all at once; on an error it removes those that
// are ours. The caller holds the page's lock.
func (b *Rulebook) write(owner string, added *page) error {
	var group errgroup.Group
	var mu sync.Mutex
	var foreign []*Namespace
	for namespace, here := range added.rules {
		group.Go(func() error {
			err := namespace.addRules(owner, here.rules)
			if errors.Is(err, unix.EEXIST) {
				mu.Lock()
				defer mu.Unlock()
				foreign = append(foreign, namespace)
			}
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		return nil
	}
	// A table that somebody else made under this name stays. Of the others, one
	// batch is all or nothing, so removing what was not added is harmless.
	for _, namespace := range foreign {
		delete(added.rules, namespace)
	}
	return errors.Join(err, b.clear(owner, added))
}

// Remove deletes exactly what Add added for the owner. An owner that has
// nothing is no error, and neither is a namespace that is gone. What could not
// be deleted stays in the book for another try.
func (b *Rulebook) Remove(owner string) error {
	held := b.page(owner)
	if held == nil {
		return nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	return b.clear(owner, held)
}

// Counters reads all of the owner's counters, but those in namespaces that are
// gone. An owner without rules has caught nothing.
func (b *Rulebook) Counters(owner string) ([]Tally, error) {
	held := b.page(owner)
	if held == nil {
		return nil, nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	var tallies []Tally
	for namespace, here := range held.rules {
		counts, err := namespace.countRules(owner, len(here.rules))
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i, count := range counts {
			tallies = append(tallies, Tally{Node: here.nodes[i], Rule: here.indices[i], Count: count})
		}
	}
	return tallies, nil
}

func (b *Rulebook) page(owner string) *page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pages[owner]
}

func (b *Rulebook) enter(owner string, added *page) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages == nil {
		b.pages = map[string]*page{}
	}
	if b.pages[owner] != nil {
		return false
	}
	b.pages[owner] = added
	return true
}

// clear deletes the owner's tables; the caller holds the page's lock.
func (b *Rulebook) clear(owner string, held *page) error {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for _, namespace := range slices.Collect(maps.Keys(held.rules)) {
		wait.Go(func() {
			err := namespace.removeRules(owner)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, err)
				return
			}
			delete(held.rules, namespace)
		})
	}
	wait.Wait()
	if failed != nil {
		return failed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages[owner] == held {
		delete(b.pages, owner)
	}
	return nil
}
