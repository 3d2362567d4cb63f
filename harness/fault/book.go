package fault

import (
	"fmt"
	"strings"
	"sync"
)

// Book knows the faults in force on one bed: two of one kind on one link are refused,
// because neither could be told from the other.
type Book struct {
	prefix string
	mu     sync.Mutex
	n      int
	active map[string]string // kind and link -> id
}

// NewBook returns an empty book. Its injections' ids begin with prefix, which no other
// bed of the session may use: the agent knows rules by these ids alone.
func NewBook(prefix string) *Book { return &Book{prefix: prefix, active: map[string]string{}} }

// enter plans a fault, unless it cannot be, and takes the links that it affects.
func (b *Book) enter(f Fault, t Target) (Plan, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	id := fmt.Sprintf("%s-%s-%d", b.prefix, shortKind(f.Kind()), b.n)
	plan, err := f.Plan(t, id)
	if err != nil {
		return plan, id, err
	}
	if err := available(t, plan); err != nil {
		return plan, id, err
	}
	for _, key := range keys(f, plan) {
		if other, taken := b.active[key]; taken {
			return plan, id, fmt.Errorf("%s is in force already as %s", key, other)
		}
	}
	for _, key := range keys(f, plan) {
		b.active[key] = id
	}
	return plan, id, nil
}

// shortKind keeps ids within what the name of an nftables table takes.
func shortKind(kind string) string {
	const longest = 24
	return kind[:min(len(kind), longest)]
}

func (b *Book) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, holder := range b.active {
		if holder == id {
			delete(b.active, key)
		}
	}
}

// disturbed says whether a fault is in force on a link.
func (b *Book) disturbed(e Edge) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.active {
		if strings.HasSuffix(key, " on "+e.String()) {
			return true
		}
	}
	return false
}

// wrapper is a fault that is another in truth: by a timetable, or by choice.
type wrapper interface{ effect() Fault }

// keys are the effect and the links that it is on. A fault that flaps is the same effect
// as one that does not.
func keys(f Fault, plan Plan) []string {
	if _, ok := f.(Noop); ok {
		return nil // nothing is in force
	}
	kind := f.Kind()
	for w, ok := f.(wrapper); ok; w, ok = f.(wrapper) {
		f = w.effect()
		kind = f.Kind()
	}
	if len(plan.Affected) == 0 {
		return []string{kind + " on " + f.Target()}
	}
	list := make([]string, len(plan.Affected))
	for i, e := range plan.Affected {
		list[i] = kind + " on " + e.String()
	}
	return list
}
