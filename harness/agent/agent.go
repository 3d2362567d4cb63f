// Package agent is the harness's side of faultd, the one helper container of a
// session that touches kernels (images/faultd). It says what to do in plain Go
// values; how it is done is package kernel's business, on faultd's side.
//
// A node is named by its container id. Every call is synchronous: when it
// returns nil the kernel has it.
//
//	client, err := agent.Dial(ctx, "127.0.0.1:49153", token)
//	...
//	defer client.Close()
//	go client.KeepLease(ctx)
//	err = client.AddRules(ctx, "injection-1", []agent.Rule{{
//		Node: toxiproxyID, Direction: agent.Upstream, Ports: []uint16{20001},
//		Verdict: agent.Drop,
//	}})
package agent

import (
	"cmp"
	"net/netip"
	"time"
)

// Steering is the way of one node's connections to all others.
type Steering struct {
	// Routes sends TCP connections for a destination to a listener.
	Routes map[netip.AddrPort]netip.AddrPort
	// Nodes are the addresses of all other nodes of the bed. A connection to
	// one of them that Routes did not take is counted as a bypass.
	Nodes []netip.Addr
}

// Direction says which packets of a link a rule judges.
type Direction int

// A link leads from a client to a server.
const (
	// Upstream is client to server. It is judged in the input hook of the
	// namespace that holds the link's listener.
	Upstream Direction = iota + 1
	// Downstream is server to client. It is judged in the client's input hook.
	Downstream
)

// String names the direction.
func (d Direction) String() string {
	switch d {
	case Upstream:
		return "upstream"
	case Downstream:
		return "downstream"
	default:
		return "no direction"
	}
}

// Verdict says what becomes of a packet that a rule matches.
type Verdict int

const (
	// Drop lets the packet vanish.
	Drop Verdict = iota + 1
	// Reset drops the packet and answers its sender with a TCP reset. For
	// Upstream the sender is the client: connection refused, or reset.
	Reset
	// Unreach drops it and answers with ICMP destination unreachable, Rule.Code.
	Unreach
	// TooBig drops it and answers with ICMP fragmentation needed, MTU Rule.LongerThan.
	TooBig
	// Duplicate sends a second copy; it acts where packets leave.
	Duplicate
	// Corrupt changes the payload under its checksum, which takes Offload to be there.
	Corrupt
)

// String names the verdict.
func (v Verdict) String() string {
	words := map[Verdict]string{Drop: "drop", Reset: "reset", Unreach: "unreach", TooBig: "too big", Duplicate: "duplicate", Corrupt: "corrupt"}
	return cmp.Or(words[v], "no verdict")
}

// Rule disturbs one direction of some links in one namespace.
type Rule struct {
	// Node is the container in whose namespace the packets arrive, or, if Leaving,
	// from which they leave. Only what Duplicate hits leaves.
	Node      string
	Direction Direction
	Leaving   bool
	// Ports are the links' listener ports: for Upstream packets that arrive, Downstream
	// packets that leave, and for Corrupt.
	Ports []uint16
	// Originals, for all else, are the servers as the client dialled them, before
	// steering.
	Originals []netip.AddrPort
	// Peers, in place of links, takes what comes from these addresses and is not TCP;
	// with UDP, datagrams only: Upstream to these ports, Downstream from them.
	Peers []netip.Addr
	UDP   []uint16
	// LongerThan spares IP packets of up to so many bytes (the IP total
	// length). 0 spares none.
	LongerThan int
	Sample     Sample
	Verdict    Verdict
	// Code of ICMP destination unreachable.
	Code uint8
}

// Sample chooses among the packets that a rule matches; the zero value takes all.
type Sample struct {
	// PerMillion takes so many of a million, by chance; with a Burst above 1 that many
	// in a row, on average.
	PerMillion, Burst uint32
	// Indices takes the packets with these numbers, from 1, of each connection, its
	// SYN not counted.
	Indices []uint32
}

// Count is what one rule has hit so far.
type Count struct {
	Node string
	// Rule is the index of the rule in the slice given to AddRules.
	Rule int
	// Packets and Bytes (of IP, headers included) that the rule hit.
	Packets, Bytes uint64
	// Seen are the packets that its Sample chose from.
	Seen uint64
}

// Answer says what becomes of a DNS question that a Spoof is about.
type Answer string

// The answers.
const (
	AnswerSilence  Answer = "silence"  // none
	AnswerServFail Answer = "servfail" // the resolver could not find out
	AnswerNXDomain Answer = "nxdomain" // there is no such name
	AnswerAddress  Answer = "address"  // Spoof.Addresses, and nothing else of any kind
	AnswerSlow     Answer = "slow"     // the true one, Spoof.Delay later
)

// Spoof says which of a node's DNS questions are answered in its resolver's place, and
// how. All others reach the resolver.
type Spoof struct {
	// Names are asked for in any case of letters, with or without the dot at the end.
	// None stands for all.
	Names  []string
	Answer Answer
	// Addresses, of IPv4 and in this order, are for AnswerAddress; Delay for AnswerSlow.
	Addresses []netip.Addr
	Delay     time.Duration
}

// Descriptors is the state of the file descriptors of a container's main
// process.
type Descriptors struct {
	// Numbers are the open descriptors, in ascending order. The limit is one on
	// numbers, not on how many are open: under a soft limit of the lowest number
	// that is free not one more can be opened.
	Numbers []uint64
	// Open is how many are open; Soft and Hard are RLIMIT_NOFILE.
	Open, Soft, Hard uint64
}

// Outcomes of a probe.
const (
	OutcomeOK          = "ok"          // an application answer (tcp: a connection)
	OutcomeRefused     = "refused"     // a reset in answer to the first packet
	OutcomeTimeout     = "timeout"     // silence until the deadline
	OutcomeReset       = "reset"       // a reset on the open connection
	OutcomeClosed      = "closed"      // an orderly close before the answer
	OutcomeUnreachable = "unreachable" // no route, or an ICMP answer
	OutcomeServFail    = "servfail"    // dns: the resolver could not find out
	OutcomeNXDomain    = "nxdomain"    // dns: there is no such name
	OutcomeError       = "error"       // anything else; see Detail
)

// Probe is one fresh connection out of a node's namespace, steered like the
// node's own.
type Probe struct {
	Node   string
	Target netip.AddrPort
	// Protocol is "tcp" (connect only), "talk" (any answer to Path, which may be
	// empty where the server speaks first), "http" (GET), "grpc" (health check; any
	// status that the server sends counts as an answer), "udp" (one datagram, and any
	// in answer) or "dns" (one question by UDP for the IPv4 addresses of Path).
	Protocol string
	// Path for http, "/healthy" if empty; for talk and udp what is said first, for dns
	// the name.
	Path string
	// Pad is how many bytes of padding the request carries (header X-Pad, gRPC
	// metadata x-pad, or the datagram's end).
	Pad int
	// Bulk asks for a large answer and reads all of it. http: Path says where
	// there is one. grpc: server reflection of descriptor.proto, about 10 KB.
	Bulk bool
	// Close waits for the server to close the connection after its answer; for http.
	Close bool
	// Timeout bounds the whole probe; 2 s if 0.
	Timeout time.Duration
}

// ProbeResult is what came of a probe.
type ProbeResult struct {
	// Outcome is one of the Outcome constants.
	Outcome string
	// Connect, FirstByte and Total are measured from the probe's start. What
	// was not reached is 0.
	Connect, FirstByte, Total time.Duration
	// Bytes received.
	Bytes int64
	// Digest is the SHA-256 of the body of an http answer that was read to its end.
	Digest string
	// Detail is the exact error, or what the answer was: for dns the addresses.
	Detail string
	// Wire is zero if nothing was sent by TCP.
	Wire Wire
}

// Wire is what the kernel says of a probe's TCP connection at the probe's end, however
// that was (TCP_INFO: tcp(7)).
type Wire struct {
	// SegmentsOut and SegmentsIn count TCP segments, those without data too.
	SegmentsOut, SegmentsIn uint32
	// Retransmitted counts segments that the node sent once more.
	Retransmitted uint32
	// OutOfOrder counts segments that came before one that was sent earlier.
	OutOfOrder uint32
	// Duplicated counts segments of the node that the other side says came twice.
	Duplicated uint32
	// PathMTU is how long a packet may be on the way to the other side, in bytes of IP.
	PathMTU uint32
	// SendMSS is how long the node makes segments, in bytes of payload. ReceiveMSS is
	// how long it takes the other side's to be: at most 536 until there was a longer one.
	SendMSS, ReceiveMSS uint32
}

// Facts describe what a fault could have left behind in a namespace.
type Facts struct {
	// Tables of nftables, each "family name", sorted.
	Tables []string
	// MTU of eth0 in bytes.
	MTU int
	// Offloads of eth0 by the kernel's name for the feature.
	Offloads map[string]bool
	// Soft limit of file descriptors of the main process.
	Soft uint64
	// Process is the path of the main process's executable.
	Process string
	// Queue is the kind of the queue at the root of eth0, "noqueue" as a rule.
	Queue string
}
