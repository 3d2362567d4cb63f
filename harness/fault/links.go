package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/topology"
)

// Edge is one directed link: a client's way to one port of one server.
type Edge struct {
	Client, Server string
	Port           int
}

func (e Edge) String() string { return fmt.Sprintf("%s>%s:%d", e.Client, e.Server, e.Port) }

// Links selects directed links of a bed. The zero value selects none.
type Links struct {
	sets []selection
}

// selection is clients x servers x ports; an empty list stands for all.
type selection struct {
	clients, servers []string
	ports            []int
}

// Half is a selection of which only the clients are known; see From.
type Half struct {
	clients []string
}

// From starts a selection of the links that lead from these nodes, all if none is
// given.
func From(clients ...topology.Node) Half { return Half{topology.Names(clients)} }

// To completes the selection with the servers, all if none is given.
func (h Half) To(servers ...topology.Node) Links {
	return Links{[]selection{{clients: h.clients, servers: topology.Names(servers)}}}
}

// Into selects the links from everybody to these nodes.
func Into(servers ...topology.Node) Links { return From().To(servers...) }

// Between selects the links between two groups, both ways.
func Between(a, b []topology.Node) Links {
	return Links{append(From(a...).To(b...).sets, From(b...).To(a...).sets...)}
}

// Around selects every link to and from these nodes.
func Around(nodes ...topology.Node) Links {
	return Links{append(Into(nodes...).sets, From(nodes...).To().sets...)}
}

// Port narrows the selection to these server ports.
func (l Links) Port(ports ...int) Links {
	narrowed := Links{slices.Clone(l.sets)}
	for i := range narrowed.sets {
		narrowed.sets[i].ports = ports
	}
	return narrowed
}

// Range returns the ports from first to last, for Port.
func Range(first, last int) []int {
	var ports []int
	for p := first; p <= last; p++ {
		ports = append(ports, p)
	}
	return ports
}

// In returns the edges of all that l selects, in their order.
func (l Links) In(all []Edge) []Edge {
	return slices.DeleteFunc(slices.Clone(all), func(e Edge) bool {
		return !slices.ContainsFunc(l.sets, func(s selection) bool { return s.has(e) })
	})
}

func (s selection) has(e Edge) bool {
	return contains(s.clients, e.Client) && contains(s.servers, e.Server) && contains(s.ports, e.Port)
}

// contains reports whether an empty list, which stands for all, or v is in list.
func contains[T comparable](list []T, v T) bool {
	return len(list) == 0 || slices.Contains(list, v)
}

// String is the selection in words, as receipts show it.
func (l Links) String() string {
	words := make([]string, len(l.sets))
	for i, s := range l.sets {
		words[i] = orAll(s.clients) + ">" + orAll(s.servers)
		if len(s.ports) > 0 {
			words[i] += ":" + portsInWords(s.ports)
		}
	}
	return strings.Join(words, " + ")
}

func orAll(names []string) string {
	if len(names) == 0 {
		return "*"
	}
	return strings.Join(names, ",")
}

// portsInWords shortens runs: 65000-65020,8002.
func portsInWords(ports []int) string {
	var words []string
	for i := 0; i < len(ports); {
		j := i
		for j+1 < len(ports) && ports[j+1] == ports[j]+1 {
			j++
		}
		if j > i {
			words = append(words, fmt.Sprintf("%d-%d", ports[i], ports[j]))
		} else {
			words = append(words, fmt.Sprint(ports[i]))
		}
		i = j + 1
	}
	return strings.Join(words, ",")
}

// byName orders links.
func byName(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Port, b.Port))
}
