package toxic

import (
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

// Toxic is an effect on the byte streams of a link. Unless it says otherwise it takes hold
// of open connections as of new ones.
type Toxic interface {
	// options are the toxics that toxiproxy knows it by: several may be needed for one.
	options() []toxiproxy.ToxicOptions
}

// Stream is one of the two directions of a connection.
type Stream string

// The streams; the zero value is Downstream.
const (
	Upstream   Stream = "upstream"   // from client to server
	Downstream Stream = "downstream" // from server to client
)

// on is a toxic of a type on this stream.
func (s Stream) on(kind string, attributes toxiproxy.Attributes) toxiproxy.ToxicOptions {
	if s == "" {
		s = Downstream
	}
	return toxiproxy.ToxicOptions{ToxicType: kind, Stream: string(s), Toxicity: 1, Attributes: attributes}
}

// Latency holds back every byte by Delay, plus or minus Jitter.
type Latency struct {
	Delay, Jitter time.Duration
	Stream        Stream
}

func (l Latency) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{l.Stream.on("latency", toxiproxy.Attributes{
		"latency": l.Delay.Milliseconds(), "jitter": l.Jitter.Milliseconds(),
	})}
}

// Bandwidth lets BytesPerSecond pass, of each connection.
type Bandwidth struct {
	BytesPerSecond int64
	Stream         Stream
}

func (b Bandwidth) options() []toxiproxy.ToxicOptions {
	// Toxiproxy's KB are 1000 bytes: it sleeps a millisecond per Rate bytes.
	return []toxiproxy.ToxicOptions{b.Stream.on("bandwidth", toxiproxy.Attributes{"rate": max(1, b.BytesPerSecond/1000)})}
}

// Slicer passes bytes in slices of AverageBytes, more or less by VariationBytes, each
// Delay after the one before.
type Slicer struct {
	AverageBytes, VariationBytes int
	Delay                        time.Duration
	Stream                       Stream
}

func (s Slicer) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{s.Stream.on("slicer", toxiproxy.Attributes{
		"average_size": s.AverageBytes, "size_variation": s.VariationBytes, "delay": s.Delay.Microseconds(),
	})}
}

// SlowClose holds back the end of a stream.
type SlowClose struct {
	Delay  time.Duration
	Stream Stream
}

func (s SlowClose) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{s.Stream.on("slow_close", toxiproxy.Attributes{"delay": s.Delay.Milliseconds()})}
}

// LimitData closes a connection, in an orderly way, after so many bytes of a stream.
type LimitData struct {
	Bytes  int64
	Stream Stream
}

func (l LimitData) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{l.Stream.on("limit_data", toxiproxy.Attributes{"bytes": l.Bytes})}
}

// ResetPeer resets a connection, both ways, as soon as something is sent on the stream.
// A connection that was open before is closed in an orderly way.
type ResetPeer struct {
	Stream Stream
}

func (r ResetPeer) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{r.Stream.on("reset_peer", toxiproxy.Attributes{"timeout": 0})}
}

// ResetAfter resets a connection after about so many bytes of a stream: what its kernel
// has not sent by then is lost. A connection that was open before is closed in an orderly
// way.
type ResetAfter struct {
	Bytes  int64
	Stream Stream
}

// Toxiproxy makes a connection one that is closed by a reset if it starts with a
// reset_peer among its toxics (link.go, Start), also with one that never acts.
func (r ResetAfter) options() []toxiproxy.ToxicOptions {
	never := r.Stream.on("reset_peer", toxiproxy.Attributes{"timeout": 0})
	never.Toxicity = 0
	return []toxiproxy.ToxicOptions{never, r.Stream.on("limit_data", toxiproxy.Attributes{"bytes": r.Bytes})}
}

// Stall lets nothing pass once AfterBytes have, and keeps the connection open; when it is
// removed, all that was sent meanwhile arrives. It is our own, in images/toxiproxy.
type Stall struct {
	Stream     Stream
	AfterBytes int64
}

func (s Stall) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{s.Stream.on("stall", toxiproxy.Attributes{"after": s.AfterBytes})}
}

// HalfOpen closes the server's end of a connection and leaves the client's open: what the
// client sends vanishes, and it hears nothing. When it is removed the client's end is
// closed. It is our own, in images/toxiproxy.
type HalfOpen struct{}

// The client must not hear of the end that comes next.
func (HalfOpen) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{Downstream.on("deaf", nil), Upstream.on("hang_up", nil)}
}

// Garble flips the lowest bit of every EveryBytes-th byte of a stream. It is our own, in
// images/toxiproxy.
type Garble struct {
	EveryBytes int64
	Stream     Stream
}

func (g Garble) options() []toxiproxy.ToxicOptions {
	return []toxiproxy.ToxicOptions{g.Stream.on("garble", toxiproxy.Attributes{"every": g.EveryBytes})}
}
