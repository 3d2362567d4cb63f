package history

// What happened over time, in a form that stays small however long a scenario takes:
// the sums of the ledger at a steady pace, and what nodes logged, grouped.

// Node is a place of the bed and what ran there.
type Node struct {
	Name    string `json:"name"`
	Stated  string `json:"stated,omitempty"` // the name that it goes by in the swarm, if not Name
	Role    string `json:"role"`
	Release string `json:"release,omitempty"` // at the end of the scenario
	Address string `json:"address"`
}

// Sample is what had passed since the bed was laid, at one moment.
type Sample struct {
	AtMS int64 `json:"at_ms"`
	// Origin, Seeds and Peers are bytes of files that these gave, to whomever.
	Origin int64 `json:"origin"`
	Seeds  int64 `json:"seeds"`
	Peers  int64 `json:"peers"`
	// Conns are connections that came through their link, Failed those that the nodes'
	// own logs say failed: one that a fault swallows never gets as far as its link.
	Conns  int64 `json:"conns"`
	Failed int64 `json:"failed"`
}

// Complaint is what a node's log says, again and again, of connections that failed.
type Complaint struct {
	Node    string `json:"node"`
	Step    string `json:"step"`   // register, announce, list, piece, origin, ...
	Target  string `json:"target"` // node:port as far as it is one of the bed's
	Cause   string `json:"cause"`  // refused, timed out, no such host, ...
	Count   int    `json:"count"`
	FirstMS int64  `json:"first_ms"`
	LastMS  int64  `json:"last_ms"`
	Error   string `json:"error"`          // of the first
	Line    string `json:"line,omitempty"` // the first, as it was logged
}

// Link is the link that was complained about, in the form of Reading.Link.
func (c Complaint) Link() string {
	if c.Target == "" {
		return c.Node
	}
	return c.Node + ">" + c.Target
}

// LogLine is a line of a node's log that warns of something.
type LogLine struct {
	AtMS int64  `json:"at_ms"`
	Node string `json:"node"`
	Text string `json:"text"`
}
