package system

import "github.com/faultbed/faultbed/harness/topology"

// Doctoring is a System whose peers can look themselves for what is wrong with them.
type Doctoring interface {
	// Doctor is the command that looks, inside the container of a peer of t, and Findings
	// reads what it printed.
	Doctor(t topology.Topology, peer topology.Node) []string
	Findings(stdout []byte) ([]Finding, error)
}

// Finding is one thing that a peer's doctor has looked at.
type Finding struct {
	Check  string // dns, port, mtu, version, descriptors, ...
	Target string // host:port, or whose it is
	Node   string // more on the target
	Result string // ok, warning, problem
	Fact   string // what was measured
	Cure   string // what to do about a problem
}
