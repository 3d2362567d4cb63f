//go:build linux

package kernel

// Facts are what a fault may have left behind; package agent describes them.
type Facts struct {
	Tables   []string
	MTU      int
	Offloads map[string]bool
	Soft     uint64
	Process  string
	Queue    string
}

// Facts reads all of them.
func (n *Namespace) Facts() (facts Facts, err error) {
	if facts.Tables, err = n.Tables(); err != nil {
		return Facts{}, err
	}
	if facts.MTU, err = n.MTU(); err != nil {
		return Facts{}, err
	}
	if facts.Offloads, err = n.Offloads(); err != nil {
		return Facts{}, err
	}
	if facts.Queue, err = n.Queue(); err != nil {
		return Facts{}, err
	}
	descriptors, err := n.Descriptors()
	if err != nil {
		return Facts{}, err
	}
	facts.Soft = descriptors.Soft
	facts.Process, err = n.Executable()
	return facts, err
}
