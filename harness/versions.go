package harness

import (
	"slices"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Admitted are the bed's nodes of these roles that the first supernode takes into the
// swarm, going by their releases; Refused are the others.
func (b *Bed) Admitted(roles ...topology.Role) []topology.Node {
	admitted, _ := system.Admitted(b.session.System, b.topo, roles...)
	return admitted
}

// Refused are the bed's nodes of these roles that the first supernode refuses for their
// release.
func (b *Bed) Refused(roles ...topology.Role) []topology.Node {
	_, refused := system.Admitted(b.session.System, b.topo, roles...)
	return refused
}

// Explaining are those nodes whose release logs each connection that failed.
func (b *Bed) Explaining(nodes []topology.Node) []topology.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n topology.Node) bool {
		v, ok := b.session.System.(system.Versioned)
		return ok && !v.Explains(n.Release)
	})
}
