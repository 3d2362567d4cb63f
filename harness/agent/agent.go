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
)

// String names the verdict.
func (v Verdict) String() string {
	switch v {
	case Drop:
		return "drop"
	case Reset:
		return "reset"
	default:
		return "no verdict"
	}
}

// Rule disturbs one direction of some links in one namespace.
type Rule struct {
	// Node is the container in whose namespace the packets arrive.
	Node      string
	Direction Direction
	// Ports, for Upstream, are the listener ports in the namespace.
	Ports []uint16
	// Originals, for Downstream, are the servers as the client dialled them,
	// before steering.
	Originals []netip.AddrPort
	// LongerThan spares IP packets of up to so many bytes (the IP total
	// length). 0 spares none.
	LongerThan int
	Verdict    Verdict
}

// Count is what one rule has matched so far.
type Count struct {
	Node string
	// Rule is the index of the rule in the slice given to AddRules.
	Rule int
	// Packets and Bytes (of IP, headers included) that the rule matched.
	Packets, Bytes uint64
}

// Answer says what becomes of a DNS question that a Spoof is about.
type Answer string

// The answers.
const (
	AnswerSilence  Answer = "silence"  // none
	AnswerServFail Answer = "servfail" // the resolver could not find out
	AnswerNXDomain Answer = "nxdomain" // there is no such name
	AnswerAddress  Answer = "address"  // Spoof.Address, and nothing else of any kind
	AnswerSlow     Answer = "slow"     // the true one, Spoof.Delay later
)

// Spoof says which of a node's DNS questions are answered in its resolver's place, and
// how. All others reach the resolver.
type Spoof struct {
	// Names are asked for in any case of letters, with or without the dot at the end.
	// None stands for all.
	Names  []string
	Answer Answer
	// Address, of IPv4, is for AnswerAddress; Delay for AnswerSlow.
	Address netip.Addr
	Delay   time.Duration
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
}
