package judge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
)

func at(ms int64) *int64 { return &ms }

// proven is a fault that bit and was healed.
func proven() history.Fault {
	return history.Fault{
		Kind: "block-port", Target: "a>b:1 dropped", ConfirmedMS: at(1), HealedMS: at(2),
		Receipt: history.Receipt{Bites: true, Gone: true},
	}
}

func with(change func(*history.Fault)) []history.Fault {
	f := proven()
	change(&f)
	return []history.Fault{proven(), f}
}

func TestVerdict(t *testing.T) {
	for name, tc := range map[string]struct {
		h      history.History
		want   history.Verdict
		reason string
	}{
		"nothing happened":            {history.History{}, history.Pass, ""},
		"no bed":                      {history.History{}, history.Inconclusive, "no bed was laid"},
		"a doubt":                     {history.History{Doubts: []string{"too late"}, Failure: "x"}, history.Inconclusive, "too late"},
		"a canary that sang":          {history.History{Canary: history.Inconclusive, Faults: with(func(f *history.Fault) { f.Receipt.Bites = false })}, history.Pass, ""},
		"a canary that did not":       {history.History{Canary: history.Pass, Failure: "expected INCONCLUSIVE"}, history.Fail, "expected INCONCLUSIVE"},
		"a canary on a bad machine":   {history.History{Canary: history.Infra, Trouble: []string{"no engine"}}, history.Infra, "no engine"},
		"a proven fault":              {history.History{Faults: []history.Fault{proven()}}, history.Pass, ""},
		"a fault still on at the end": {history.History{Faults: with(func(f *history.Fault) { f.HealedMS, f.Receipt.Gone = nil, false })}, history.Pass, ""},
		"a broken promise":            {history.History{Faults: []history.Fault{proven()}, Failure: "count is 0"}, history.Fail, "count is 0"},
		"a fault that did not bite": {history.History{Faults: with(func(f *history.Fault) {
			f.ConfirmedMS, f.Receipt = nil, history.Receipt{Doubt: "does not bite: a>b:1 is ok"}
		}), Failure: "count is 0"}, history.Inconclusive, "does not bite"},
		"a fault never confirmed": {history.History{Faults: with(func(f *history.Fault) { f.ConfirmedMS = nil })}, history.Inconclusive, "never confirmed"},
		"a fault not seen gone":   {history.History{Faults: with(func(f *history.Fault) { f.Receipt.Gone = false })}, history.Inconclusive, "not seen gone"},
		"a fault that failed":     {history.History{Faults: with(func(f *history.Fault) { f.Error = "no such link" })}, history.Inconclusive, "no such link"},
		"a bypass":                {history.History{Bypass: map[string]int{"peer-1": 0, "peer-2": 3}}, history.Inconclusive, "peer-2 (3)"},
		"bypass counters at zero": {history.History{Bypass: map[string]int{"peer-1": 0}}, history.Pass, ""},
		"trouble beats all":       {history.History{Trouble: []string{"faultd is gone"}, Failure: "x", Bypass: map[string]int{"a": 1}}, history.Infra, "faultd is gone"},
		"a witness that agrees": {history.History{Downloads: []history.Download{
			{Bytes: 1 << 20, From: history.From{Origin: 1<<20 + 300}, Witness: &history.From{Origin: 1 << 20}},
			{Bytes: 1 << 20, From: history.From{Seeds: 1 << 20}, Witness: &history.From{}},
			{Bytes: 16 << 20, From: history.From{Origin: 16 << 20, Peers: 12 << 20}, Witness: &history.From{Origin: 8 << 20}}, // half was there
		}}, history.Pass, ""},
		"a witness that counts more": {history.History{Downloads: []history.Download{
			{Bytes: 16 << 20, From: history.From{Origin: 8 << 20, Peers: 12 << 20}, Witness: &history.From{Origin: 16 << 20}},
		}}, history.Inconclusive, "the peer's metrics say 16777216"},
		"a witness that does not": {history.History{Downloads: []history.Download{
			{Peer: "peer-1", File: "f", Bytes: 1 << 20, From: history.From{Origin: 2 << 20}, Witness: &history.From{Origin: 1 << 20}},
		}}, history.Inconclusive, "the peer's metrics say 1048576"},
		"a node that died": {history.History{Died: []string{"peer-1 ended by itself with exit status 137"}, Failure: "count is 0"}, history.Fail, "peer-1 ended by itself with exit status 137\ncount is 0"},
		"a node that died under a fault, which cannot be seen gone": {history.History{
			Died: []string{"peer-1 ended by itself with exit status 137"}, Faults: with(func(f *history.Fault) { f.Error, f.Receipt.Gone = "node is gone", false }),
		}, history.Fail, "peer-1 ended by itself"},
		"a node that died in a canary":  {history.History{Canary: history.Fail, Died: []string{"peer-1 ended by itself"}}, history.Pass, ""},
		"a node that faultd took along": {history.History{Trouble: []string{"faultd is gone"}, Died: []string{"peer-1 ended by itself"}}, history.Infra, "faultd is gone"},
		"residue":                       {history.History{Residue: []string{"container x"}}, history.Infra, "container x"},
		"a residue beats a failure":     {history.History{Residue: []string{"container x"}, Failure: "y"}, history.Infra, "container x"},
		"not well after healing": {history.History{Faults: with(func(f *history.Fault) {
			f.Receipt.Gone, f.Receipt.Unwell = false, "a>b:1 is timeout"
		})}, history.Fail, "a>b:1 is timeout"},
	} {
		if name != "no bed" {
			tc.h.Started = time.Unix(1, 0)
		}
		got, reason := judge.Verdict(tc.h)
		if got != tc.want || !strings.Contains(reason, tc.reason) {
			t.Errorf("%s: %s (%s), want %s (%s)", name, got, reason, tc.want, tc.reason)
		}
	}
}

func TestMatchers(t *testing.T) {
	file := fixtures.Layer1M
	good := history.Download{
		Peer: "peer-1", File: file.Name, Bytes: file.Size, SHA256OK: true,
		From: history.From{Seeds: file.Size / 2, Peers: file.Size / 2},
	}
	bad := good
	bad.SHA256OK = false
	for name, tc := range map[string]struct {
		matcher interface {
			Match(any) (bool, error)
			FailureMessage(any) string
		}
		download history.Download
		wrong    string // "" if it matches
	}{
		"intact":              {judge.BeIntact(file), good, ""},
		"wrong digest":        {judge.BeIntact(file), bad, "its digest is wrong"},
		"wrong file":          {judge.BeIntact(fixtures.Layer4M), good, "it is of layer-1m"},
		"short":               {judge.BeIntact(file), history.Download{File: file.Name, Bytes: 3, SHA256OK: true}, "3 of 1048576 bytes"},
		"failed":              {judge.BeIntact(file), history.Download{Error: "boom"}, "it failed: boom"},
		"failed from nowhere": {judge.ComeFromSwarm(), history.Download{Error: "boom"}, "it failed: boom"},
		"nothing at all":      {judge.ComeFromOrigin(), history.Download{}, "nothing arrived"},
		"served twice": {
			judge.ComeFromSwarm(),
			history.Download{Bytes: 100, From: history.From{Origin: 100, Seeds: 95}},
			"the origin served 100 of 100",
		},
		"from the swarm":  {judge.ComeFromSwarm(), good, ""},
		"not from peers":  {judge.ComeFromPeers(), good, "these served 524288 of 1048576"},
		"not from origin": {judge.ComeFromOrigin(), good, "these served 0 of 1048576"},
	} {
		ok, err := tc.matcher.Match(tc.download)
		if err != nil || ok != (tc.wrong == "") {
			t.Errorf("%s: matched %v, %v", name, ok, err)
		}
		if message := tc.matcher.FailureMessage(tc.download); tc.wrong != "" && !strings.Contains(message, tc.wrong) {
			t.Errorf("%s: message %q does not say %q", name, message, tc.wrong)
		}
	}
}
