package main

import (
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// stallToxic lets nothing pass until it is removed, once After bytes of a stream have. It
// does not even read then, so that nothing more than the rest of a chunk is in its hands,
// which it hands on when it goes, as toxiproxy hands on what waits before it. What waits is
// counted in the ledger already, up to what the buffers hold. The toxic in front of it
// cannot be removed while it waits to hand over, see toxic.Proxy.Remove.
type stallToxic struct {
	After int64 `json:"after"`
}

// passed is what a stall knows of a stream: toxiproxy interrupts a toxic whenever another is
// added or removed, and starts it anew.
type passed struct {
	bytes int64
	rest  *stream.StreamChunk // what came with the last of them
}

// NewState implements toxics.StatefulToxic.
func (*stallToxic) NewState() any { return &passed{} }

// Pipe passes After bytes on, and waits.
func (s *stallToxic) Pipe(stub *toxics.ToxicStub) {
	so := stub.State.(*passed) //nolint:forcetypeassert // what NewState makes
	for so.bytes < s.After {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			if n := s.After - so.bytes; int64(len(chunk.Data)) > n {
				so.rest = &stream.StreamChunk{Data: chunk.Data[n:], Timestamp: chunk.Timestamp}
				chunk.Data = chunk.Data[:n]
			}
			so.bytes += int64(len(chunk.Data))
			stub.Output <- chunk
		}
	}
	<-stub.Interrupt
}

// What is handed on when a stall goes: toxiproxy holds a lock meanwhile, and of a connection
// whose client has gone nobody takes anything.
const (
	patience = 200 * time.Millisecond // for somebody to take it
	lull     = 20 * time.Millisecond  // after which nothing more is waiting
	enough   = 64                     // chunks that were taken: somebody is there
)

// Cleanup hands on what is held and what waits, when the toxic is removed; a connection where
// nobody takes it is closed.
func (s *stallToxic) Cleanup(stub *toxics.ToxicStub) {
	if s.After == 0 {
		return // toxiproxy hands on what waits
	}
	chunk := stub.State.(*passed).rest //nolint:forcetypeassert // what NewState makes
	for range enough {
		if chunk != nil && stub.WriteOutput(chunk, patience) != nil {
			stub.Close()
			return
		}
		select {
		case chunk = <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
		case <-time.After(lull):
			return
		}
	}
	_ = stub.WriteOutput(chunk, patience)
}
