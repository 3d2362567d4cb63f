package fault

import "github.com/faultbed/faultbed/harness/topology"

// Stop ends nodes as an operator does (SIGTERM), so that they can say goodbye. Healing
// starts them again: the same disk and address, a new process.
type Stop struct {
	Nodes []topology.Node
}

// Kind implements Fault.
func (s Stop) Kind() string { return "stop" }

// Target implements Fault.
func (s Stop) Target() string { return list(s.Nodes) }

// Plan implements Fault.
func (s Stop) Plan(t Target, id string) (Plan, error) {
	return ended(t, s.Nodes, id, "SIGTERM", t.Processes().Stop)
}
