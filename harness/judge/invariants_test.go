package judge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
)

// well is a history in which everything holds: a peer gets a file, a fault is healed, all
// come back.
func well() history.History {
	reading := history.Reading{Link: "peer-1>supernode-1:8002", Outcome: "timeout"}
	return history.History{
		Started: time.Unix(1, 0), OpenedMS: at(1000), BedReadyMS: at(1500),
		Limits: &history.Limits{ReadyMS: 10_000, FallbackMS: 8000, RejoinMS: 9000, RetryPauseMS: 500},
		Nodes:  []history.Node{{Name: "supernode-1", Role: "supernode"}, {Name: "seed-1", Role: "seed"}, {Name: "peer-1", Role: "peer"}},
		Faults: []history.Fault{{
			Kind: "block-port", Target: "peer-1>*:8002 dropped", AppliedMS: at(3000), ConfirmedMS: at(3500), HealedMS: at(6000),
			Receipt: history.Receipt{Bites: true, Gone: true, Probe: history.Plane{During: []history.Reading{reading}}},
		}},
		Downloads: []history.Download{{Peer: "peer-1", File: "f", Size: 1 << 20, Bytes: 1 << 20, SHA256OK: true, StartedMS: 3600, TookMS: 1000, LimitMS: 30_000}},
		PeerCount: []history.PeerCount{{AtMS: 1200, Supernode: "supernode-1", N: 1}, {AtMS: 1500, Supernode: "supernode-1", N: 2}, {AtMS: 5500, Supernode: "supernode-1", N: 1}, {AtMS: 7000, Supernode: "supernode-1", N: 2}},
		Ledger:    []history.LinkBytes{{Client: "peer-1", Server: "supernode-1", Port: 8002, Conns: 2}},
		Samples:   []history.Sample{{AtMS: 3700}, {AtMS: 4200, Origin: 1 << 20}, {AtMS: 4500, Origin: 1 << 20}, {AtMS: 7100, Origin: 1 << 20}},
		Complaints: []history.Complaint{
			{Node: "peer-1", Step: "register", Target: "supernode-1:8002", Cause: "timed out", Count: 3, FirstMS: 4000, LastMS: 5900, Error: "dial"},
		},
		Intake:  map[string]history.From{"peer-1": {Origin: 1<<20 + 300}},
		Settled: &history.Settled{HealedMS: 7050, BackMS: at(7100), Counts: map[string]int{"supernode-1": 2}},
	}
}

func TestWhatHoldsIsPassed(t *testing.T) {
	if verdict, reason := judge.Verdict(well()); verdict != history.Pass {
		t.Errorf("%s: %s", verdict, reason)
	}
}

func TestConnectionsOfAHogAreNoAttempts(t *testing.T) {
	h := well()
	h.Ledger[0].Conns = 200
	h.Faults[0].Kind, h.Faults[0].Target = "fd-hog", "peer-1>supernode-1:8002 with 200 connections"
	if verdict, reason := judge.Verdict(h); verdict != history.Pass {
		t.Errorf("%s: %s", verdict, reason)
	}
}

// Each case breaks one promise; all others hold.
func TestEachInvariantCanBreak(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(*history.History)
		want   string
	}{
		"a panic": {func(h *history.History) {
			h.Log = []history.LogLine{{Node: "peer-1", Text: "panic: nil map"}}
		}, "peer-1: panic: nil map"},
		"a wrong file": {func(h *history.History) { h.Downloads[0].SHA256OK = false }, "differs from its digest"},
		"half a file": {func(h *history.History) {
			h.Downloads[0].SHA256OK, h.Downloads[0].Error = false, "exit status 1"
		}, "left 1048576 bytes that are not the file"},
		"a hanging download": {func(h *history.History) {
			h.Downloads[0] = history.Download{Peer: "peer-1", File: "f", Size: 1 << 20, StartedMS: 3600, TookMS: 30_000, LimitMS: 30_000, Error: "ended by force"}
		}, "did not end in time"},
		"a peer away": {func(h *history.History) {
			h.Settled.BackMS, h.Settled.Missing = nil, []string{"supernode-1 counts 1 of 2: without [peer-1]"}
		}, "without [peer-1], 9000 ms after everything was healed"},
		"bytes from nowhere": {func(h *history.History) { h.Intake["peer-1"] = history.From{Origin: 1 << 19} }, "files of 1048576 bytes, and its links brought 524288"},
		"no target":          {func(h *history.History) { h.Complaints[0].Target = "" }, "without target or cause"},
		"no cause":           {func(h *history.History) { h.Complaints[0].Cause = "" }, "without target or cause"},
		"another cause":      {func(h *history.History) { h.Complaints[0].Cause = "refused" }, `supernode-1:8002 is "refused", under block-port`},
		"a slow start": {func(h *history.History) {
			h.PeerCount[0].AtMS, h.PeerCount[1].AtMS = 11_001, 11_001
		}, "time to first peer 10001 ms, at most 10000"},
		"a bed that is late": {func(h *history.History) { h.Faults, h.BedReadyMS = nil, at(11_001) }, "time to all peers 10001 ms, at most 10000"},
		"a long silence": {func(h *history.History) {
			h.Downloads[0].TookMS, h.Samples[1].AtMS, h.Samples[2].AtMS, h.Samples[3].AtMS = 18_000, 20_000, 20_100, 21_000
			h.Settled.BackMS = at(21_000)
		}, "time to fallback 16300 ms (f on peer-1), at most 16000"},
		"a slow recovery": {func(h *history.History) {
			h.PeerCount[3].AtMS, h.Settled.BackMS = 16_001, at(16_100)
		}, "time to recovery 10001 ms (block-port on peer-1>*:8002 dropped), at most 10000"},
		"a storm": {func(h *history.History) { h.Ledger[0].Conns = 34 }, "attempts to reach a supernode 37 attempts (peer-1>supernode-1), at most 36"},
		"waste":   {func(h *history.History) { h.Intake["peer-1"] = history.From{Seeds: 11<<20 + 1} }, "wasted bytes 10485761 bytes (peer-1), at most 10485760"},
		"a stampede": {func(h *history.History) {
			h.Intake["seed-1"] = history.From{Origin: 67 << 20}
		}, "bytes from the origin"},
	} {
		t.Run(name, func(t *testing.T) {
			h := well()
			tc.breaks(&h)
			verdict, reason := judge.Verdict(h)
			if verdict != history.Fail || !strings.Contains(reason, tc.want) || strings.Contains(reason, "\n") {
				t.Errorf("%s %q, want %s because of %q alone", verdict, reason, history.Fail, tc.want)
			}
		})
	}
}

func TestLeak(t *testing.T) {
	const nodes = 3
	held := history.Held{Node: "peer-1", Before: history.Holding{Descriptors: 20, Goroutines: 50}, Files: 4}
	for name, tc := range map[string]struct {
		after history.Holding
		leaks bool
	}{
		"as before":       {history.Holding{Descriptors: 20, Goroutines: 50}, false},
		"what is kept":    {history.Holding{Descriptors: 36, Goroutines: 88}, false},
		"one descriptor":  {history.Holding{Descriptors: 37, Goroutines: 50}, true},
		"and a goroutine": {history.Holding{Descriptors: 20, Goroutines: 89}, true},
	} {
		held.After = tc.after
		if leak := judge.Leak(held, nodes); (leak != "") != tc.leaks {
			t.Errorf("%s: %q", name, leak)
		}
	}
}
