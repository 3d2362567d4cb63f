package system

import "github.com/faultbed/faultbed/harness/topology"

// Versioned is a System that knows which of its releases speak with each other.
type Versioned interface {
	// Speak says whether nodes of two releases understand each other.
	Speak(one, other string) bool
	// Explains says whether a release logs each connection that failed.
	Explains(release string) bool
	// Returns says whether a node of a release comes back by itself after trouble.
	Returns(release string) bool
}

// Admitted are those nodes of t with these roles that its first supernode takes into the
// swarm, going by their releases alone, and refused the others, both in t's order. A
// system that says nothing of its releases takes all.
func Admitted(s System, t topology.Topology, roles ...topology.Role) (admitted, refused []topology.Node) {
	v, ok := s.(Versioned)
	for _, n := range t.Of(roles...) {
		if !ok || v.Speak(t.Of(topology.Supernode)[0].Release, n.Release) {
			admitted = append(admitted, n)
		} else {
			refused = append(refused, n)
		}
	}
	return admitted, refused
}
