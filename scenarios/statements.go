package scenarios

// statement is one sentence of the failure analysis, or one fault that it names, and the
// scenarios that hold the swarm to it: those whose full name the regular expression matches.
// README.md beside this file shows the table; a test keeps it whole and current.
type statement struct{ about, says, scenarios string }

// statements are in the order of the analysis: how a node joins, what keeps it out, what a
// release promises, what operators do, and then each fault that must be seen alone.
var statements = []statement{
	{"joining", "(1) a node registers with its supernode", `^Retry registers over|^A closed way to the supernode|keeps (one peer|all peers) out.*8002`},
	{"joining", "(2) it gets the list of active peers", `^Discovery lets every peer know`},
	{"joining", "(3) it chooses the best peers by topology, and connects", `nearest who have it|tells a peer which others answer|from several at the same time`},
	{"joining", "(4) it takes part in giving and keeping pieces", `^A file in the swarm is given on|peer near by has|to every peer, from the origin about once`},
	{"joining", "the supernode counts who is there, and nobody else", `lets the supernode count|^A peer that leaves`},

	{"causes", "blocked ports: 65000-65020, 65001 as the usual check", `^A blocked port`},
	{"causes", "exhausted file descriptors", `^File descriptors`},
	{"causes", "unreachable or wrongly configured seeds", `^An unreachable seed`},
	{"causes", "incompatible versions, above all across majors", `^Version skew|^Every release at once`},
	{"causes", "MTU and fragmentation", `^An MTU black hole`},

	{"2.2.1", "(a) falls back to another seed when the first is away", `^An unreachable seed (away before|lost in the middle|paused|that is counted)`},
	{"2.2.1", "(b) retries after trouble by itself, on a flapping network too", `^Retry`},
	{"2.2.1", "(c) logs target and exact error of each failed connection", `^A failed connection|names the parent whose pieces stall`},

	{"advice", "port checks between hosts", `doctor on a peer.*(closed port|by hand)`},
	{"advice", "DNS checks", `doctor on a peer.*(name|DNS)`},
	{"advice", "MTU checks", `doctor on a peer.*(MTU|by hand)`},
	{"advice", "reading \"peer register\" and \"announce\" in the logs", `^A failed connection|is told in the peer's log`},
	{"advice", "rolling upgrades that keep enough compatible nodes", `^A rolling replacement`},
	{"advice", "watching peer count and traffic over time", `both count everybody|^A peer that leaves`},
}
