package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

func placed(p daemon.PlaceStatus) Facts {
	return Facts{Release: "2.2.1", Daemon: Daemon{Status: &daemon.Status{Places: []daemon.PlaceStatus{p}}}}
}

func out(step diag.Step, why cause.Cause, text string) Facts {
	return placed(daemon.PlaceStatus{Supernode: "s:8002", LastError: &diag.Failure{Step: step, Cause: why, Error: text}})
}

// Each cause of the failure analysis, and the words that it is told in. Seen red for each
// by judging no facts.
func TestJudge(t *testing.T) {
	for what, c := range map[string]struct {
		facts  Facts
		check  Check
		result Result
		fact   string
		cure   string
	}{
		"dead daemon":       {Facts{Daemon: Daemon{Failed: Failed{cause.Refused, "x"}}}, CheckDaemon, Problem, "refused", "start the daemon"},
		"silent daemon":     {Facts{Daemon: Daemon{Failed: Failed{cause.TimedOut, "x"}}}, CheckDaemon, Problem, "timed out", "paused"},
		"registered":        {placed(daemon.PlaceStatus{Registered: true, AnnounceAgeMS: -1}), CheckRegistered, OK, "registered", ""},
		"out":               {placed(daemon.PlaceStatus{}), CheckRegistered, Problem, "not registered", "rows"},
		"not called back":   {out(diag.Register, cause.TimedOut, "peer p at 1.2.3.4:65000 cannot be called back: x"), CheckRegistered, Problem, "timed out", "65000-65020"},
		"refused release":   {out(diag.Register, cause.VersionMismatch, "version mismatch: x"), CheckVersion, Problem, "version mismatch", "release"},
		"fresh announce":    {placed(daemon.PlaceStatus{Registered: true, AnnounceAgeMS: 1200}), CheckAnnounce, OK, "1.2 s ago", ""},
		"old announce":      {placed(daemon.PlaceStatus{Registered: true, AnnounceAgeMS: 9000}), CheckAnnounce, Problem, "9.0 s ago", "restart"},
		"descriptors":       {Facts{Daemon: Daemon{Status: &daemon.Status{}, Descriptors: Descriptors{8, 10}}}, CheckDescriptors, OK, "8 of 10", ""},
		"few descriptors":   {Facts{Daemon: Daemon{Status: &daemon.Status{}, Descriptors: Descriptors{81, 100}}}, CheckDescriptors, Warning, "81 of 100", "ulimit"},
		"no descriptors":    {Facts{Daemon: Daemon{Status: &daemon.Status{}, Descriptors: Descriptors{99, 100}}}, CheckDescriptors, Problem, "99 of 100", "ulimit"},
		"own descriptors":   {Facts{Own: Descriptors{14, 14}}, CheckDescriptors, Problem, "14 of 14", "ulimit"},
		"name":              {Facts{Names: []Name{{Host: "s", Addresses: []string{"1.2.3.4"}}}}, CheckDNS, OK, "1.2.3.4", ""},
		"no such name":      {Facts{Names: []Name{{Failed: Failed{cause.NoSuchHost, "x"}}}}, CheckDNS, Problem, "no such host", "correct the name"},
		"silent dns":        {Facts{Names: []Name{{Failed: Failed{cause.TimedOut, "x"}}}}, CheckDNS, Problem, "timed out", "port 53"},
		"slow name":         {Facts{Names: []Name{{Took: 1100 * time.Millisecond}}}, CheckDNS, Warning, "1100 ms", "slow"},
		"port":              {Facts{Ports: []Port{{Target: "s:8002", Connected: true}}}, CheckPort, OK, "answers", ""},
		"dropped port":      {Facts{Ports: []Port{{Target: "s:8002", Failed: Failed{cause.TimedOut, "x"}}}}, CheckPort, Problem, "timed out", "open port 8002"},
		"refused port":      {Facts{Ports: []Port{{Target: "p:65001", Role: rolePeer, Failed: Failed{cause.Refused, "x"}}}}, CheckPort, Problem, "refused", "open port 65001"},
		"deaf port":         {Facts{Ports: []Port{{Target: "p:65000", Connected: true, Failed: Failed{cause.TimedOut, "x"}}}}, CheckPort, Problem, "no answer", "does not serve"},
		"lost seed":         {Facts{Ports: []Port{{Role: roleSeed, Unlisted: true, Failed: Failed{cause.Refused, "x"}}}}, CheckPort, Problem, "no longer do: refused", "start the seed"},
		"poor doctor":       {Facts{Ports: []Port{{Failed: Failed{cause.TooManyFiles, "x"}}}}, CheckPort, Warning, "too many open files", "the doctor itself"},
		"major release":     {Facts{Release: "3.0.0", Ports: []Port{{Role: roleSupernode, Release: "2.2.1", Protocol: "2.2"}}}, CheckVersion, Problem, "version mismatch", "release"},
		"next release":      {Facts{Release: "2.3.0", Ports: []Port{{Role: roleSupernode, Release: "2.2.1", Protocol: "2.2"}}}, CheckVersion, OK, "2.3", ""},
		"path":              {Facts{Paths: []Path{{Passed: long}}}, CheckMTU, OK, "16384 bytes pass", ""},
		"black hole":        {Facts{Paths: []Path{{Back: true, Passed: 1000, Lost: 1100, Failed: Failed{cause.Stalled, "x"}}}}, CheckMTU, Problem, "MTU black hole, the largest that passed had 1000 bytes", "mtu 1000"},
		"narrow black hole": {Facts{Paths: []Path{{Passed: 256, Lost: 512, Failed: Failed{cause.Stalled, "x"}}}}, CheckMTU, Problem, "small requests pass", "mtu 576"},
	} {
		t.Run(what, func(t *testing.T) {
			findings := Judge(c.facts, timers.Fast)
			for _, f := range findings {
				if f.Check == c.check && f.Result == c.result && strings.Contains(f.Fact, c.fact) && strings.Contains(f.Cure, c.cure) && (c.cure == "") == (f.Cure == "") {
					if Healthy(findings) != (c.result != Problem) {
						t.Errorf("healthy: %v", findings)
					}
					return
				}
			}
			t.Errorf("found %+v", findings)
		})
	}
}

// What is told elsewhere is not told twice.
func TestJudgeKeepsQuiet(t *testing.T) {
	facts := Facts{
		Release: "2.2.1",
		Ports:   []Port{{Role: rolePeer, Release: "2.1.0", Protocol: "2.1", Connected: true}},
		Paths:   []Path{{Lost: 64, Failed: Failed{cause.TimedOut, "x"}}},
	}
	for _, f := range Judge(facts, timers.Fast) {
		if f.Check == CheckMTU || f.Check == CheckVersion {
			t.Errorf("found %+v", f)
		}
	}
}

func TestTable(t *testing.T) {
	findings := []Finding{{CheckPort, "s:8002", "", OK, "it answers", ""}, {CheckDNS, "s", "", Problem, "no such host", "correct the name"}}
	var table, line strings.Builder
	if err := WriteTable(&table, findings); err != nil {
		t.Fatal(err)
	}
	const want = `CHECK  TARGET  RESULT   FACT
port   s:8002  ok       it answers
dns    s       problem  no such host
                        -> correct the name

2 checks, 1 problems
`
	if table.String() != want {
		t.Errorf("table:\n%s", table.String())
	}
	if err := WriteJSON(&line, findings); err != nil || !strings.HasPrefix(line.String(), `{"ok":false,"findings":[{"check":"port",`) {
		t.Errorf("json: %s, %v", line.String(), err)
	}
}
