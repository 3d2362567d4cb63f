// Package ledger does the sums over what passed over the links of a bed: who served
// how many bytes to whom. The figures come from the links' proxies, outside of the
// system under test. Everything here is a pure function.
package ledger

import (
	"cmp"
	"slices"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// Book is the state of all links at one moment.
type Book []history.LinkBytes

// Since is what passed between an earlier moment and b. Links without traffic are
// left out.
func (b Book) Since(earlier Book) Book {
	type key struct {
		client, server string
		port           int
	}
	was := map[key]history.LinkBytes{}
	for _, l := range earlier {
		was[key{l.Client, l.Server, l.Port}] = l
	}
	var passed Book
	for _, l := range b {
		w := was[key{l.Client, l.Server, l.Port}]
		l.Up, l.Down, l.Conns = l.Up-w.Up, l.Down-w.Down, l.Conns-w.Conns
		if l.Up != 0 || l.Down != 0 || l.Conns != 0 {
			passed = append(passed, l)
		}
	}
	slices.SortFunc(passed, func(x, y history.LinkBytes) int {
		return cmp.Or(cmp.Compare(x.Client, y.Client), cmp.Compare(x.Server, y.Server), cmp.Compare(x.Port, y.Port))
	})
	return passed
}

// Content tells the ports that carry files, by role of the server.
type Content map[topology.Role]int

// From sums what a client got over content ports, by the role of who served it.
func (b Book) From(client string, t topology.Topology, content Content) history.From {
	var from history.From
	for _, l := range b {
		server, ok := t.Node(l.Server)
		if !ok || l.Client != client || content[server.Role] != l.Port {
			continue
		}
		switch server.Role {
		case topology.Origin:
			from.Origin += l.Down
		case topology.Seed:
			from.Seeds += l.Down
		case topology.Peer:
			from.Peers += l.Down
		case topology.Supernode:
		}
	}
	return from
}

// Sources sums what all clients got over content ports, by the role of who served it.
func (b Book) Sources(t topology.Topology, content Content) history.From {
	var all history.From
	seen := map[string]bool{}
	for _, l := range b {
		if seen[l.Client] {
			continue
		}
		seen[l.Client] = true
		from := b.From(l.Client, t, content)
		all.Origin, all.Seeds, all.Peers = all.Origin+from.Origin, all.Seeds+from.Seeds, all.Peers+from.Peers
	}
	return all
}

// AllConns counts the connections that came through any link.
func (b Book) AllConns() (n int64) {
	for _, l := range b {
		n += l.Conns
	}
	return n
}

// Served sums what these servers gave to all clients over content ports.
func (b Book) Served(t topology.Topology, content Content, servers ...string) int64 {
	var bytes int64
	for _, l := range b {
		if server, ok := t.Node(l.Server); ok && slices.Contains(servers, l.Server) && content[server.Role] == l.Port {
			bytes += l.Down
		}
	}
	return bytes
}

// Conns counts the connections that clients opened to a server's port.
func (b Book) Conns(server string, port int) int64 {
	var n int64
	for _, l := range b {
		if l.Server == server && l.Port == port {
			n += l.Conns
		}
	}
	return n
}
