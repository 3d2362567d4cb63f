package fault

import "fmt"

// BlockPort closes ports on some links, as a security group or a host firewall does:
// Drop or Refuse, by what a scenario says.
type BlockPort struct {
	Links Links
	How   How // Dropped or Refused
}

// Kind implements Fault.
func (b BlockPort) Kind() string { return "block-port" }

// Target implements Fault.
func (b BlockPort) Target() string { return fmt.Sprintf("%s %s", b.Links, b.How) }

func (b BlockPort) effect() Fault {
	if b.How == Refused {
		return Refuse{Links: b.Links}
	}
	return Drop{Links: b.Links}
}

// Plan implements Fault.
func (b BlockPort) Plan(t Target, id string) (Plan, error) {
	if b.How != Dropped && b.How != Refused {
		return Plan{}, fmt.Errorf("how %q: a port is dropped or refused", b.How)
	}
	return b.effect().Plan(t, id)
}
