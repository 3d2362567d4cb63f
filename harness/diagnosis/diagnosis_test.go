package diagnosis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/diagnosis"
	"github.com/faultbed/faultbed/harness/history"
)

func at(ms int64) *int64 { return &ms }

func complaint(node, step, target, cause, text string, first, last int64) history.Complaint {
	return history.Complaint{
		Node: node, Step: step, Target: target, Cause: cause, Error: text, FirstMS: first, LastMS: last, Count: 3,
		Line: node + " says " + text,
	}
}

// lost is a download of peer-1 that failed at 9 s.
func lost() []history.Download {
	return []history.Download{{Peer: "peer-2", File: "a", SHA256OK: true, StartedMS: 1000, TookMS: 100}, {Peer: "peer-1", File: "b", StartedMS: 3000, TookMS: 6000, Error: "exit status 1"}}
}

// under is a fault in force from 4 s to 12 s whose probes saw these links so.
func under(kind, target string, seen ...history.Reading) []history.Fault {
	return []history.Fault{{
		Kind: kind, Target: target, AppliedMS: at(4000), ConfirmedMS: at(4100), HealedMS: at(12000),
		Receipt: history.Receipt{Bites: true, Gone: true, Probe: history.Plane{During: seen}},
	}}
}

func silent(link string) history.Reading {
	return history.Reading{Link: link, Outcome: "timeout", Detail: "i/o timeout"}
}

func TestDiagnosisNamesStepLinkTimeAndCause(t *testing.T) {
	const dial = "dial tcp 10.0.0.1:1: i/o timeout"
	for what, c := range map[string]struct {
		h     history.History
		step  diagnosis.Step
		link  string
		since int64
		cause diagnosis.Cause
		says  string
	}{
		"a blocked port of the supernode": {
			history.History{
				Complaints: []history.Complaint{complaint("peer-1", "register", "supernode-1:8002", "timed out", dial, 4500, 11000)},
				Faults:     under("block-port", "peer-1>*:8002 dropped", silent("peer-1>supernode-1:8002")),
				PeerCount:  []history.PeerCount{{Supernode: "supernode-1", N: 1}},
				Nodes:      []history.Node{{Name: "peer-1", Role: "peer"}, {Name: "peer-2", Role: "peer"}},
			},
			diagnosis.Register, "peer-1>supernode-1:8002", 4500, diagnosis.BlockedPort, "in force since 4000 ms, is on that way",
		},
		"the list of active peers": {
			history.History{Complaints: []history.Complaint{complaint("peer-1", "list", "supernode-1:8002", "stalled", "no packet", 4500, 5000)}},
			diagnosis.List, "peer-1>supernode-1:8002", 4500, diagnosis.BlockedPort, "No fault was injected.",
		},
		"one port of a parent": {
			history.History{Downloads: lost(), Complaints: []history.Complaint{
				complaint("peer-1", "piece", "peer-2:65002", "refused", "dial tcp: connection refused", 4200, 8900),
				complaint("peer-3", "check", "peer-2:65001", "closed", "EOF", 1000, 1000),
			}},
			diagnosis.Share, "peer-1>peer-2:65002", 4200, diagnosis.BlockedPort, "step 4, share: peer-1 could not reach peer-2:65002 from 4200 ms on, 3 times until 8900 ms",
		},
		"a seed that is away": {
			history.History{Downloads: lost(), Complaints: []history.Complaint{
				complaint("peer-1", "list", "seed-1:65000", "timed out", dial, 4300, 8900),
				complaint("supernode-1", "check", "seed-1:65001", "timed out", dial, 4400, 8000),
			}, Faults: under("unreachable", "seed-1 dropped")},
			diagnosis.Connect, "peer-1>seed-1:65000", 4300, diagnosis.DeadSeed, "seed-1 is silent on ports 65000, 65001 to nodes peer-1, supernode-1",
		},
		"a seed whose name went with it": { // seen red: told as DNS
			history.History{Complaints: []history.Complaint{
				complaint("supernode-1", "seed", "seed-1:65000", "no such host", "lookup seed-1 on 127.0.0.11:53: no such host", 4300, 8900),
				complaint("peer-1", "check", "seed-1:65000", "refused", "dial tcp: connection refused", 4400, 8000),
			}},
			diagnosis.Connect, "supernode-1>seed-1:65000", 4300, diagnosis.DeadSeed, "the name of seed-1 is gone, and so is it: peer-1 finds seed-1:65000 refused",
		},
		"a supernode whose name went with it": { // seen red: told as DNS
			history.History{
				Complaints: []history.Complaint{complaint("peer-1", "register", "supernode-1:8002", "no such host", "lookup supernode-1 on 127.0.0.11:53: no such host", 4300, 8900)},
				Faults:     under("kill", "supernode-1", history.Reading{Link: "seed-1>supernode-1:8002", Outcome: "refused"}),
			},
			diagnosis.Register, "peer-1>supernode-1:8002", 4300, diagnosis.NoCause, "the name of supernode-1 is gone, and so is it: a probe of seed-1 finds supernode-1:8002 refused",
		},
		"a peer that is silent on several ports": { // seen red: of one port only
			history.History{Complaints: []history.Complaint{
				complaint("peer-1", "list", "peer-2:65000", "refused", "dial tcp: connection refused", 4300, 8900),
				complaint("supernode-1", "check", "peer-2:65001", "refused", "dial tcp: connection refused", 4400, 8000),
			}},
			diagnosis.Connect, "peer-1>peer-2:65000", 4300, diagnosis.BlockedPort, "of peer-2 ports 65000, 65001 were seen closed, to nodes peer-1, supernode-1",
		},
		"a seed that can neither get out nor be reached": { // seen red: told as a blocked port of the supernode
			history.History{Complaints: []history.Complaint{
				complaint("seed-1", "register", "supernode-1:8002", "timed out", dial, 4300, 8900),
				complaint("peer-1", "list", "seed-1:65000", "timed out", dial, 4400, 8000),
			}},
			diagnosis.Register, "seed-1>supernode-1:8002", 4300, diagnosis.DeadSeed, "seed-1 cannot get out, and is silent to node peer-1",
		},
		"a peer that is not called back": { // seen red: told as a blocked port of the supernode
			history.History{Complaints: []history.Complaint{
				complaint("peer-1", "register", "supernode-1:8002", "timed out", "peer peer-1 at 10.0.0.1:65000 cannot be called back: dial tcp 10.0.0.1:65000: i/o timeout", 4300, 8900),
			}},
			diagnosis.Register, "peer-1>supernode-1:8002", 4300, diagnosis.BlockedPort, "supernode-1 answers, and cannot call peer-1 back: dial tcp",
		},
		"a name that only a probe asked for": { // seen red: told as a blocked port 53
			history.History{Faults: under("dns-fail", "supernode-1 of peer-1", history.Reading{Link: "peer-1>supernode-1:53", Outcome: "nxdomain", Detail: "answered NXDOMAIN"})},
			diagnosis.Register, "peer-1>supernode-1:53", 4000, diagnosis.DNS, "peer-1 asked for the name of supernode-1: answered NXDOMAIN",
		},
		"a peer that died": { // seen red: told as a blocked port, and no word of its end
			history.History{Died: []string{"peer-1 ended by itself with exit status 137"}, Complaints: []history.Complaint{complaint("supernode-1", "check", "peer-1:65000", "refused", "dial tcp: connection refused", 4400, 8000)}},
			diagnosis.Connect, "supernode-1>peer-1:65000", 4400, diagnosis.BlockedPort, "peer-1 ended by itself with exit status 137. What others saw of that: Joining broke",
		},
		"a name that nobody knows": {
			history.History{Complaints: []history.Complaint{complaint("peer-1", "register", "supernode-1:8002", "no such host", "lookup supernode-1 on 127.0.0.11:53: no such host", 2000, 9000)}},
			diagnosis.Register, "peer-1>supernode-1:8002", 2000, diagnosis.DNS, "could not look the name up",
		},
		"full packets that vanish": {
			history.History{
				Downloads:  lost(),
				Complaints: []history.Complaint{complaint("peer-1", "piece", "seed-1:65002", "stalled", "stalled: no progress", 5000, 8000)},
				Faults: under("mtu", "peer-1-seed-1 1400", history.Reading{
					Link: "peer-1>seed-1:65002", Outcome: "timeout", ConnectMS: 1, Wire: history.Wire{Retransmitted: 4, PathMTU: 1500},
				}),
			},
			diagnosis.Share, "peer-1>seed-1:65002", 5000, diagnosis.MTU, "a connection opens, and what is longer is sent again and again",
		},
		"a path whose MTU is told": {
			history.History{
				Complaints: []history.Complaint{complaint("peer-1", "announce", "supernode-1:8002", "stalled", "stalled", 5000, 8000)},
				Faults:     under("mtu", "peer-1", history.Reading{Link: "peer-1>supernode-1:8002", Outcome: "ok", Wire: history.Wire{PathMTU: 1280}}),
			},
			diagnosis.Register, "peer-1>supernode-1:8002", 5000, diagnosis.MTU, "a path MTU of 1280",
		},
		"releases that do not speak": {
			history.History{Complaints: []history.Complaint{complaint("peer-1", "register", "supernode-1:8002", "version mismatch", "protocol 3.0", 900, 9000)}},
			diagnosis.Register, "peer-1>supernode-1:8002", 900, diagnosis.Version, `peer-1 says "protocol 3.0"`,
		},
		"releases that the supernode refuses": {
			history.History{
				Complaints: []history.Complaint{complaint("peer-1", "register", "supernode-1:8002", "closed", "EOF", 900, 9000)},
				Log:        []history.LogLine{{Node: "supernode-1", Text: "peer refused: peer-1: version mismatch"}},
			},
			diagnosis.Register, "peer-1>supernode-1:8002", 900, diagnosis.Version, "supernode-1 refuses peer-1",
		},
		"no descriptor left": {
			history.History{Downloads: lost(), Complaints: []history.Complaint{
				complaint("peer-1", "piece", "seed-1:65002", "too many open files", "socket: too many open files", 4000, 8000),
				complaint("peer-1", "list", "seed-2:65000", "timed out", dial, 3900, 8000),
			}},
			diagnosis.Share, "peer-1>seed-1:65002", 4000, diagnosis.Descriptors, "too many open files",
		},
		"an answer that is none": {
			history.History{Downloads: lost(), Complaints: []history.Complaint{complaint("peer-1", "origin", "origin-1:80", "bad answer", "status 404", 4000, 4100)}},
			diagnosis.Share, "peer-1>origin-1:80", 4000, diagnosis.NoCause, `answered, but with "status 404"`,
		},
		"a node that is quiet": {
			history.History{Downloads: lost(), Faults: under("drop", "all", silent("peer-3>seed-1:65002"), silent("peer-1>seed-1:65000"))},
			diagnosis.Connect, "peer-1>seed-1:65000", 4000, diagnosis.DeadSeed, "no node says so; a probe saw: i/o timeout",
		},
		"a peer at another address that is counted once": { // seen red: one was missing for ever, and who had to register again was to blame
			history.History{
				PeerCount: []history.PeerCount{{Supernode: "supernode-1", N: 2}},
				Nodes:     []history.Node{{Name: "peer-1", Role: "peer"}, {Name: "peer-2", Role: "peer"}, {Name: "peer-3", Stated: "peer-2", Role: "peer"}},
				Complaints: []history.Complaint{
					complaint("peer-2", "announce", "supernode-1:8002", "bad answer", "peer-2 was dropped (registered again)", 700, 700),
					complaint("peer-1", "list", "peer-2:65000", "refused", "dial tcp: connection refused", 1100, 9000),
				},
			},
			diagnosis.Connect, "peer-1>peer-2:65000", 1100, diagnosis.BlockedPort, "peer-1 could not reach peer-2:65000",
		},
		"what came after the failure": {
			history.History{Downloads: lost(), Faults: under("noop", "x"), Complaints: []history.Complaint{
				complaint("peer-1", "list", "peer-2:65000", "refused", "refused", 3500, 3500),
				complaint("peer-1", "register", "supernode-1:8002", "no such host", "lookup x", 60000, 61000),
			}},
			diagnosis.Connect, "peer-1>peer-2:65000", 3500, diagnosis.BlockedPort, "No fault in force was on that way",
		},
	} {
		c.h.Started = time.Unix(1, 0)
		d := diagnosis.Of(history.Scenario{Verdict: history.Fail, Reason: "x", History: c.h})
		if d.SinceMS == nil {
			d.SinceMS = at(-1)
		}
		if d.Step != c.step || d.Link != c.link || *d.SinceMS != c.since || d.Cause != c.cause || !strings.Contains(d.Words, c.says) {
			t.Errorf("%s: %q on %s since %d, %s: %s\nwant %q on %s since %d, %s: ... %s ...", what, d.Step, d.Link, *d.SinceMS, d.Cause, d.Words,
				c.step, c.link, c.since, c.cause, c.says)
		}
	}
}

func TestDiagnosisIsOfWhatIsRedOnly(t *testing.T) {
	for v, says := range map[history.Verdict]string{
		history.Pass: "", history.NotApplicable: "",
		history.Inconclusive: "proves nothing, in either direction: too late.",
		history.Infra:        "nothing is said of the swarm: too late.",
		history.Fail:         "No step of joining is seen to have broken",
		history.Known:        "But peer-1 ended by itself.",
	} {
		d := diagnosis.Of(history.Scenario{Verdict: v, Reason: "too\n  late", History: history.History{Died: []string{"peer-1 ended by itself"}}})
		if says == "" && d.Words != "" || !strings.Contains(d.Words, says) || d.Step != diagnosis.NoStep {
			t.Errorf("%s: %q at step %q, want %q", v, d.Words, d.Step, says)
		}
	}
}

func TestThreeLinesShowAFinding(t *testing.T) {
	h := history.History{
		Started: time.Unix(1, 0), Downloads: lost(),
		Complaints: []history.Complaint{
			complaint("peer-1", "list", "seed-1:65000", "timed out", "dial", 4300, 8900),
			complaint("supernode-1", "check", "seed-1:65001", "timed out", "get", 4100, 8000),
			complaint("peer-3", "check", "peer-2:65001", "closed", "EOF", 100, 100),
		},
		Log: []history.LogLine{{AtMS: 1, Node: "seed-2", Text: "slow disk"}, {AtMS: 8950, Node: "peer-1", Text: "task failed"}},
	}
	var got []string
	for _, l := range diagnosis.Of(history.Scenario{Verdict: history.Fail, History: h}).Lines {
		got = append(got, l.Text)
	}
	want := "supernode-1 says get, peer-1 says dial, task failed"
	if strings.Join(got, ", ") != want {
		t.Errorf("lines are %q, want %s", got, want)
	}
}

func TestSentenceIsOneLine(t *testing.T) {
	if got := diagnosis.Sentence("Expected\n    <[]string | len:1, cap:4>: [\"a\"]\nto equal <x>\n    <int>: 5"); got != `Expected ["a"] to equal <x> 5` {
		t.Errorf("sentence is %q", got)
	}
	if got := diagnosis.Sentence(strings.Repeat("ä", 400)); len(got) > 330 || !strings.HasSuffix(got, "ä ...") {
		t.Errorf("sentence is %d bytes long: %q", len(got), got)
	}
}

// Whoever starts before its supernode is refused; that is over once all are counted, and
// explains nothing of what fails later. Seen red: told as a blocked port.
func TestDiagnosisPassesOverWhatEndedWhenAllWereCounted(t *testing.T) {
	h := history.History{
		BedReadyMS: at(762),
		Steps:      []history.Step{{AtMS: 796, Text: "fetch parts"}},
		Complaints: []history.Complaint{complaint("peer-1", "register", "supernode-1:8002", "refused", "connection refused", 569, 640)},
	}
	d := diagnosis.Of(history.Scenario{Verdict: history.Fail, History: h})
	if d.Step != diagnosis.NoStep || d.Link != "" || !strings.Contains(d.Words, "No step of joining is seen to have broken") {
		t.Errorf("%q at %q, %q: %s", d.Step, d.Link, d.Cause, d.Words)
	}
}

// What nodes say while a bed is put away, its faults healed and its nodes stopped, explains
// nothing of a failure before. Seen red: a seed that had been paused, and found its own
// connections dead when it went on, was told as a blocked port of the supernode.
func TestDiagnosisPassesOverWhatCameWhenTheSpecHadEnded(t *testing.T) {
	h := history.History{
		EndedMS: at(13000),
		Nodes:   []history.Node{{Name: "seed-1", Role: "seed"}, {Name: "peer-1", Role: "peer"}},
		PeerCount: []history.PeerCount{
			{AtMS: 900, Supernode: "supernode-1", N: 2}, {AtMS: 13500, Supernode: "supernode-1", N: 1},
		},
		Complaints: []history.Complaint{
			complaint("supernode-1", "seed", "seed-1:65000", "stalled", "stalled: no progress", 12500, 12900),
			complaint("seed-1", "register", "supernode-1:8002", "timed out", "dial tcp 10.0.0.1:8002: i/o timeout", 13190, 13400),
			complaint("peer-1", "check", "seed-1:65001", "timed out", "dial tcp 10.0.0.2:65001: i/o timeout", 13200, 13400),
		},
		Faults:    under("pause", "seed-1"),
		Log:       []history.LogLine{{AtMS: 13300, Node: "seed-1", Text: "version mismatch"}},
		Downloads: []history.Download{{Peer: "peer-1", File: "a", StartedMS: 4000, TookMS: 9100, Error: "context canceled"}}, // by the end of the bed
	}
	h.Faults[0].HealedMS = at(13150)
	d := diagnosis.Of(history.Scenario{Verdict: history.Fail, History: h})
	if d.Step != diagnosis.Connect || d.Link != "supernode-1>seed-1:65000" || d.Cause != diagnosis.BlockedPort {
		t.Errorf("%q at %q: %s", d.Step, d.Link, d.Words)
	}
}
