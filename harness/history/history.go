// Package history is what happened on a bed, as plain data: downloads, fault
// windows, peer counts and the ledger on one clock. It goes to JSON and back
// without loss, so that a run can be judged again years later without a
// container. It imports nothing of ours.
//
// All times are offsets in milliseconds since the start of the bed, taken from the
// harness's monotonic clock; a field named *_ms that is null did not happen.
package history

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Verdict is the end of a scenario.
type Verdict string

// The verdicts. Only Pass counts as passed; Known and NotApplicable do not, but nobody
// has to act on them.
const (
	// Pass: the fault bit, and the system kept its promise.
	Pass Verdict = "PASS"
	// Fail: the fault bit, and the system broke its promise.
	Fail Verdict = "FAIL"
	// Inconclusive: the run proves nothing, in either direction.
	Inconclusive Verdict = "INCONCLUSIVE"
	// Infra: the machine or the harness failed.
	Infra Verdict = "INFRA"
	// Known: the system broke its promise just as a known issue says it does.
	Known Verdict = "KNOWN"
	// NotApplicable: the system lacks what the promise is about.
	NotApplicable Verdict = "N/A"
)

// Run is one run of the suite: the content of run.json.
type Run struct {
	ID        string           `json:"id"`
	Seed      int64            `json:"seed"`
	System    string           `json:"system"`
	Release   string           `json:"release"`         // of all that no image was given for
	Given     []string         `json:"given,omitempty"` // roles that ran an image of the user's own: a candidate
	Profile   string           `json:"profile"`
	Again     string           `json:"again,omitempty"` // the command that does the same run again
	Images    map[string]Image `json:"images"`          // by role
	Host      Host             `json:"host"`
	Started   time.Time        `json:"started"`
	WallMS    int64            `json:"wall_ms"`
	Scenarios []Scenario       `json:"scenarios"`
}

// Image is what a role ran.
type Image struct {
	Ref     string `json:"ref"`
	Digest  string `json:"digest"`
	Release string `json:"release"`
}

// Host is the machine under the engine.
type Host struct {
	Kernel      string `json:"kernel"`
	Engine      string `json:"engine"`
	CPUs        int    `json:"cpus"`
	MemoryBytes int64  `json:"memory_bytes"`
}

// Scenario is one spec: its verdict and the history that the verdict rests on.
type Scenario struct {
	Name     string   `json:"name"`
	Labels   []string `json:"labels"`
	Location string   `json:"location"` // file:line of the spec
	Repeat   int      `json:"repeat"`   // 1 for the first time round
	Verdict  Verdict  `json:"verdict"`
	Reason   string   `json:"reason,omitempty"`
	WallMS   int64    `json:"wall_ms"`
	Evidence string   `json:"evidence,omitempty"` // folder, relative to the run's
	// Known is the entry that made a failure KNOWN.
	Known *KnownIssue `json:"known,omitempty"`
	History
}

// KnownIssue is a promise that releases of a system are known not to keep, and what is
// seen instead.
type KnownIssue struct {
	Scenario string   `json:"scenario"` // its full name, or a /regexp/ over it
	Releases []string `json:"releases"` // or "all"
	Seen     string   `json:"seen"`     // regexp over the reason of the failure
	Why      string   `json:"why"`
	Link     string   `json:"link,omitempty"`
	Date     string   `json:"date"` // 2006-01-02
	At       string   `json:"at"`   // file:line of the entry
}

// History is what happened on one bed.
type History struct {
	// Started is the bed's start by the harness's wall clock: what every *_ms counts
	// from, and what node logs are aligned to.
	Started    time.Time      `json:"started"`
	OpenedMS   *int64         `json:"opened_ms,omitempty"` // when the first node was let through its gate
	BedReadyMS *int64         `json:"bed_ready_ms"`
	EndedMS    *int64         `json:"ended_ms,omitempty"` // when the spec was over, or failed: what came later is of putting the bed away
	Faults     []Fault        `json:"faults"`
	Downloads  []Download     `json:"downloads"`
	PeerCount  []PeerCount    `json:"peer_count"`
	Ledger     []LinkBytes    `json:"ledger"`
	Bypass     map[string]int `json:"bypass"` // TCP connections between nodes that walked around their link, by node
	Steps      []Step         `json:"steps"`  // the By lines, and what the bed did on its own
	// Nodes, Samples, Complaints and Log are what the report draws and the diagnosis reads.
	// Histories from before there were any have none.
	Nodes      []Node      `json:"nodes,omitempty"`
	Samples    []Sample    `json:"samples,omitempty"`
	Complaints []Complaint `json:"complaints,omitempty"`
	Log        []LogLine   `json:"log,omitempty"`
	// Limits, Settled and Intake are what the invariants are judged by, that hold in every
	// scenario; Budgets what came of them. Intake is what each node got over content ports.
	Limits  *Limits         `json:"limits,omitempty"`
	Settled *Settled        `json:"settled,omitempty"`
	Intake  map[string]From `json:"intake,omitempty"`
	Budgets []Budget        `json:"budgets,omitempty"`
	Spent   Spent           `json:"spent,omitzero"`
	// Canary is the verdict that a canary's own history had; it is meant not to be PASS.
	Canary Verdict `json:"canary,omitempty"`
	// Unavailable is why a fault of the scenario cannot be injected here.
	Unavailable string `json:"unavailable,omitempty"`
	// Failure is the first assertion that did not hold, Died names nodes that ended by
	// themselves, Doubts say why the run proves nothing as far as no fault's receipt
	// does, Trouble what went wrong in machine or harness, Residue what was left behind
	// that was not there before.
	Failure string   `json:"failure,omitempty"`
	Died    []string `json:"died,omitempty"`
	Doubts  []string `json:"doubts,omitempty"`
	Trouble []string `json:"trouble,omitempty"`
	Residue []string `json:"residue,omitempty"`
}

// Step is a line of the story.
type Step struct {
	AtMS int64  `json:"at_ms"`
	Text string `json:"text"`
}

// Fault is one injection: its window and its receipt.
type Fault struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"`
	Target      string `json:"target"`
	AppliedMS   *int64 `json:"applied_ms"`
	ConfirmedMS *int64 `json:"confirmed_ms"`
	HealedMS    *int64 `json:"healed_ms"`
	Error       string `json:"error,omitempty"` // of apply or heal
	// Phases are the changes of a fault that changes over time: when it went off, on, or
	// to its next step.
	Phases  []Step  `json:"phases,omitempty"`
	Receipt Receipt `json:"receipt"`
}

// Receipt is the proof that a fault bit: three planes, before, during, after.
type Receipt struct {
	// Mechanism is what made the fault: "nftables drop", "toxiproxy latency".
	Mechanism string    `json:"mechanism"`
	Counters  []Counter `json:"counters"`
	Probe     Plane     `json:"probe"`
	Control   Plane     `json:"control"`
	// Bites is true when the probe changed as the fault promises and the control did
	// not; Doubt says in one line why not. Gone is true when the probe was seen well
	// again after healing; Unwell says who was not, though the fault was undone.
	Bites  bool   `json:"bites"`
	Gone   bool   `json:"gone"`
	Doubt  string `json:"doubt,omitempty"`
	Unwell string `json:"unwell,omitempty"`
}

// Counter is a figure read from a kernel or from a process's limits.
type Counter struct {
	Name   string `json:"name"`
	Before uint64 `json:"before"`
	During uint64 `json:"during"`
	After  uint64 `json:"after"`
}

// Plane is what active probes saw on a set of links.
type Plane struct {
	Before []Reading `json:"before"`
	During []Reading `json:"during"`
	After  []Reading `json:"after"`
}

// Reading is one probe of one link.
type Reading struct {
	Link    string `json:"link"`
	Outcome string `json:"outcome"` // ok, refused, timeout, reset, closed, unreachable, servfail, nxdomain, error
	// ConnectMS, RTTMS and TotalMS are counted from the probe's start: until the
	// connection was open, the first byte of the answer came, and the last; 0 if never.
	ConnectMS float64 `json:"connect_ms,omitempty"`
	RTTMS     float64 `json:"rtt_ms"`
	TotalMS   float64 `json:"total_ms"`
	Bytes     int64   `json:"bytes"`
	Digest    string  `json:"digest,omitempty"` // SHA-256 of a long answer
	Detail    string  `json:"detail,omitempty"`
	Wire      Wire    `json:"wire,omitzero"`
}

// Wire is what the client's kernel says of a probe's TCP connection (tcp(7), TCP_INFO).
type Wire struct {
	SegmentsOut   uint32 `json:"segments_out"`
	SegmentsIn    uint32 `json:"segments_in"`
	Retransmitted uint32 `json:"retransmitted"` // sent again
	OutOfOrder    uint32 `json:"out_of_order"`  // came after a later one
	Duplicated    uint32 `json:"duplicated"`    // sent ones that the other end says came twice
	PathMTU       uint32 `json:"path_mtu"`      // bytes
	SendMSS       uint32 `json:"send_mss"`      // bytes
	ReceiveMSS    uint32 `json:"receive_mss"`   // bytes, of the largest segments that came
}

// Download is one client fetching one fixture through the swarm.
type Download struct {
	Peer      string `json:"peer"`
	File      string `json:"file"`
	Size      int64  `json:"size,omitempty"`     // of the file
	LimitMS   int64  `json:"limit_ms,omitempty"` // after which it had to be over, in whatever way
	Bytes     int64  `json:"bytes"`              // that arrived on disk, or passed if it was proxied
	Proxied   bool   `json:"proxied,omitempty"`
	SHA256OK  bool   `json:"sha256_ok"`
	StartedMS int64  `json:"started_ms"`
	TookMS    int64  `json:"took_ms"`
	From      From   `json:"from"`    // counted on the links
	Claimed   From   `json:"claimed"` // as the client itself reports
	// Witness is what the system's own metrics say that the client fetched from where
	// meanwhile; what they do not tell apart is 0. Null where they cannot be had.
	Witness *From `json:"witness,omitempty"`
	// Unheard is why a witness that there is was not heard, or fell silent meanwhile.
	Unheard string `json:"unheard,omitempty"`
	Error   string `json:"error,omitempty"`
}

// From says where the bytes of a download came from.
type From struct {
	Origin int64 `json:"origin"`
	Seeds  int64 `json:"seeds"`
	Peers  int64 `json:"peers"`
}

// Total is the sum over all sources in bytes.
func (f From) Total() int64 { return f.Origin + f.Seeds + f.Peers }

// PeerCount is one observation of how many peers a supernode counts.
type PeerCount struct {
	AtMS      int64  `json:"at_ms"`
	Supernode string `json:"supernode"`
	N         int    `json:"n"`
}

// LinkBytes is what passed over one directed link, payload bytes as seen by its
// proxy. Up is from client to server.
type LinkBytes struct {
	Client string `json:"client"`
	Server string `json:"server"`
	Port   int    `json:"port"`
	Up     int64  `json:"up"`
	Down   int64  `json:"down"`
	Conns  int64  `json:"conns"`
	// FirstMS and LastMS are when the sampler first and last saw something pass; null
	// where it never looked, or the link was used before only.
	FirstMS *int64 `json:"first_ms,omitempty"`
	LastMS  *int64 `json:"last_ms,omitempty"`
}

// Write stores v as indented JSON at path, whole or not at all.
func Write(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	tmp := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return os.Rename(tmp, path)
}

// Read loads JSON that Write stored into v.
func Read(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}
