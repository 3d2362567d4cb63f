package scenarios

// statement is one sentence of the failure analysis, or one fault that it names, and the
// scenarios that hold the swarm to it: those whose full name the regular expression matches.
// README.md beside this file shows the table; a test keeps it whole and current.
type statement struct{ about, says, scenarios string }

// statements are in the order of the analysis: how a node joins, what keeps it out, what a
// release promises, what operators do, and then each fault that must be seen alone.
var statements = []statement{
	{"joining", "(1) a node registers with its supernode", `^A join .*register|^Retry registers|keeps (one peer|all peers) out.*8002`},
	{"joining", "(2) it gets the list of active peers", `^A join .*list|^Discovery (lets every peer know|tells the others where)`},
	{"joining", "(3) it chooses the best peers by topology, and connects", `^A join .*connect|^Discovery tells a peer which|^A file in the swarm (is taken from|is not taken|that a peer near by)`},
	{"joining", "(4) it takes part in giving and keeping pieces", `^A join .*share|^A file in the swarm (is given on|wanted twice)|^A restarted peer|^A full quota|^Discovery brings`},
	{"joining", "a wrong peer count shows which step broke", `^A join|^Discovery lets the supernode|^A peer that leaves (is|without)|^Of two supernodes both`},

	{"causes", "blocked ports: 65000-65020, 65001 as the usual check", `^A blocked port|^The proxy of a peer behind`},
	{"causes", "DNS and host names", `^A supernode's name|^A seed's name`},
	{"causes", "MTU and fragmentation", `^An MTU black hole|^A path that is too narrow`},
	{"causes", "unreachable or wrongly configured seeds", `^An unreachable seed`},
	{"causes", "incompatible versions, above all across majors", `^Version skew|^Every release at once`},
	{"causes", "exhausted resources: file descriptors", `^File descriptors|runs short of descriptors|^After trouble`},

	{"since 2.2.1", "(a) falls back to another seed when the first is away", `^An unreachable seed (away before|lost in the middle|paused|that is counted)`},
	{"since 2.2.1", "(b) retries after trouble by itself, on a flapping network too", `^Retry|^A silent link .*rarely`},
	{"since 2.2.1", "(c) logs target and exact error of each failed connection", `^A failed connection|names the parent whose pieces stall|^A body of HTTP`},

	{"advice", "port checks between hosts", `^The doctor on a peer.*(closed port|by hand)`},
	{"advice", "DNS checks", `^The doctor on a peer.* (a supernode whose name|a DNS)`},
	{"advice", "MTU checks", `^The doctor on a peer.*(MTU|by hand)|is cured by a lower interface MTU`},
	{"advice", "reading \"peer register\" and \"announce\" in the logs", `^A failed connection|is told in the peer's log`},
	{"advice", "rolling upgrades that keep enough compatible nodes", `^A rolling replacement|^A release`},
	{"advice", "watching peer count and traffic over time", `^A peer that leaves|^A join|^Churn`},

	{"links", "each class alone and in pairs, one direction at a time", `^Links of one kind`},
	{"links", "the long gRPC connection: forgotten, half open", `^A long connection.*forgets|^A silent link .*half open`},
	{"links", "the same: reset, slow, losing packets", `^A long connection.*(reset|poor|ten)|^Retry (takes a slow|registers again)`},
	{"links", "HTTP signalling: stalled, reset, truncated, in crumbs", `^A body of HTTP|^An origin that misbehaves`},
	{"links", "no way around a fault, by address or by name", `^A closed way`},

	{"links", "a server that greets, and never answers", `^A call that is never answered`},

	{"names", "dead", `^A supernode's name .*(unknown|nobody answers|lost in the middle)|^A seed's name .*(nobody answers|unknown)`},
	{"names", "slow", `^A supernode's name .*slow`},
	{"names", "wrong", `^A (supernode|seed)'s name .*leads`},
	{"names", "moved", `when the name moves|whose name leads nowhere`},

	{"packets", "MTU 1280, 1400, 1492, one way and both; jumbo on one side", `^A path that is too narrow`},

	{"partitions", "peers from supernodes, seeds from everyone", `^A partition takes out`},
	{"partitions", "two halves with a supernode each; a bridge; healing", `^A partition into two halves|^Of two supernodes`},

	{"resources", "descriptors: limit, leak, hog, on each role", `^File descriptors|runs short of descriptors`},
	{"resources", "a supernode starved of processor time, a peer of memory", `runs short of (processor|memory)`},
	{"resources", "a full disk (a slow one cannot be made: `make doctor` says why)", `runs short of disk|^A full quota`},

	{"churn", "a third of the peers killed and restarted, wave after wave, and for 20 s", `^Churn of a third`},
	{"churn", "all peers restart at once", `^Churn of all`},

	{"upgrades", "progressive, under load", `^A release put|^A rolling replacement`},
	{"upgrades", "a bad release rolled back", `^A release that is a bad one`},

	{"together", "version skew with each network fault", `^Two troubles at once other releases`},
	{"together", "MTU with flapping; a seed away with descriptors low", `^Two troubles at once (one seed|the primary)`},
}
