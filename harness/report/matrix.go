package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// matrix is who gave bytes of files to whom.
type matrix struct {
	Clients []string
	Rows    []matrixRow
}

type matrixRow struct {
	Server string
	Cells  []matrixCell
	Sum    int64
}

type matrixCell struct {
	Bytes int64
	Share int // of the largest cell, in per cent
}

// contentPorts are where files pass, by the role of who gives them, in both systems.
var contentPorts = map[string]int{"origin": 80, "seed": 65002, "peer": 65002}

// roles in the order of a matrix.
var roles = []string{"origin", "seed", "peer", "supernode"}

func newMatrix(h history.History) matrix {
	role := map[string]string{}
	for _, n := range h.Nodes {
		role[n.Name] = n.Role
	}
	roleOf := func(name string) string {
		if r, ok := role[name]; ok {
			return r
		}
		word, _, _ := strings.Cut(name, "-") // histories did not always say
		return word
	}
	given := map[[2]string]int64{}
	var servers, clients []string
	var largest int64
	for _, l := range h.Ledger {
		if contentPorts[roleOf(l.Server)] != l.Port || l.Down == 0 || !slices.Contains(roles[:3], roleOf(l.Client)) {
			continue
		}
		given[[2]string{l.Server, l.Client}] += l.Down
		largest = max(largest, l.Down)
		servers, clients = append(servers, l.Server), append(clients, l.Client)
	}
	order := func(names []string) []string {
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(slices.Index(roles, roleOf(a)), slices.Index(roles, roleOf(b))), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		return slices.Compact(names)
	}
	m := matrix{Clients: order(clients)}
	for _, server := range order(servers) {
		row := matrixRow{Server: server}
		for _, client := range m.Clients {
			n := given[[2]string{server, client}]
			row.Cells = append(row.Cells, matrixCell{n, int(share(float64(n), float64(largest)))})
			row.Sum += n
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}
