package fault

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Book knows the faults in force on one bed: two of one kind on one link or node are
// refused, because neither could be told from the other.
type Book struct {
	prefix string
	mu     sync.Mutex
	n      int
	active map[string]*page // by id
}

// page is a fault in force.
type page struct {
	keys      []string // kind and link, or kind and node
	plan      Plan
	injection *Injection // nil until it is applied
}

// NewBook returns an empty book. Its injections' ids begin with prefix, which no other
// bed of the session may use: the agent knows rules by these ids alone.
func NewBook(prefix string) *Book { return &Book{prefix: prefix, active: map[string]*page{}} }

// enter plans a fault, unless it cannot be, and takes the links and nodes that it affects.
func (b *Book) enter(f Fault, t Target) (Plan, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	id := fmt.Sprintf("%s-%s-%d", b.prefix, shortKind(f.Kind()), b.n)
	plan, err := f.Plan(t, id)
	if err == nil {
		plan, err = b.among(f, t, id, plan)
	}
	if err == nil {
		err = available(t, plan)
	}
	if err != nil {
		return plan, id, err
	}
	taken := keys(f, plan)
	for other, p := range b.active {
		for _, key := range taken {
			if slices.Contains(p.keys, key) {
				return plan, id, fmt.Errorf("%s is in force already as %s", key, other)
			}
		}
	}
	b.active[id] = &page{keys: taken, plan: plan}
	return plan, id, nil
}

// dead says whether a fault has ended a node.
func (b *Book) dead(node string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.active {
		if slices.Contains(p.plan.Ends, node) {
			return true
		}
	}
	return false
}

// among plans anew where nodes are dead: nothing can be looked at out of them, and no rule
// be laid in them. What the fault would do there is missing once they are started.
func (b *Book) among(f Fault, t Target, id string, whole Plan) (Plan, error) {
	dead := map[string]bool{}
	for _, p := range b.active {
		for _, node := range p.plan.Ends {
			dead[node] = true
		}
	}
	if len(dead) == 0 {
		return whole, nil
	}
	plan, err := f.Plan(living{t, dead}, id)
	plan.Lives, plan.Affected = whole.Lives, whole.Affected
	return plan, err
}

// living is a target without the links of dead clients.
type living struct {
	Target
	dead map[string]bool
}

// Edges implements Target.
func (l living) Edges() []Edge {
	return slices.DeleteFunc(slices.Clone(l.Target.Edges()), func(e Edge) bool { return l.dead[e.Client] })
}

// applied notes whose page it is.
func (b *Book) applied(i *Injection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.active[i.record.ID]; p != nil {
		p.injection = i
	}
}

// Restarted notes that a node has been started anew, by a fault or a replacement: what
// other faults had done in its old process or network namespace is gone, and they prove
// nothing any more.
func (b *Book) Restarted(node string) {
	b.mu.Lock()
	var lost []*Injection
	for _, p := range b.active {
		if p.injection != nil && slices.Contains(p.plan.Lives, node) {
			lost = append(lost, p.injection)
		}
	}
	b.mu.Unlock()
	for _, i := range lost {
		i.lost(node)
	}
}

// shortKind keeps ids within what the name of an nftables table takes.
func shortKind(kind string) string {
	const longest = 24
	return kind[:min(len(kind), longest)]
}

func (b *Book) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.active, id)
}

// disturbed says whether a fault is in force on a link. A link that is none, such as a
// question for a name, has what any link between the two has.
func (b *Book) disturbed(t Target, e Edge) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	link := slices.Contains(t.Edges(), e)
	for p := range maps.Values(b.active) {
		if slices.ContainsFunc(p.plan.Affected, func(a Edge) bool {
			return a == e || !link && a.Client == e.Client && a.Server == e.Server
		}) {
			return true
		}
	}
	return false
}

// wrapper is a fault that is another in truth: by a timetable, or by choice.
type wrapper interface{ effect() Fault }

// keys are the effect and the links or nodes that it is on. A fault that flaps is the same
// effect as one that does not.
func keys(f Fault, plan Plan) []string {
	if _, ok := f.(Noop); ok {
		return nil // nothing is in force
	}
	kind := f.Kind()
	for w, ok := f.(wrapper); ok; w, ok = f.(wrapper) {
		f = w.effect()
		kind = f.Kind()
	}
	var list []string
	for _, node := range plan.Nodes {
		list = append(list, kind+" on "+node)
	}
	if len(list) > 0 {
		return list
	}
	for _, e := range plan.Affected {
		list = append(list, kind+" on "+e.String())
	}
	return list
}
