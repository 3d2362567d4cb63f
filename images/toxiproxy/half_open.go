package main

import "github.com/Shopify/toxiproxy/v2/toxics"

// Two toxics make a connection half open: hangUpToxic, upstream, closes the server's end
// at once, and deafToxic, downstream, keeps that from the client.

// hangUpToxic ends a stream at once, and swallows what is sent on it until its sender
// ends it.
type hangUpToxic struct{}

// Pipe closes the stream. Toxiproxy then closes the connection behind it and forgets the
// link, so nobody interrupts this any more.
func (*hangUpToxic) Pipe(stub *toxics.ToxicStub) {
	stub.Close()
	for chunk := range stub.Input {
		if chunk == nil {
			return
		}
	}
}

// deafToxic swallows a stream, its end too, until it is removed; then it ends the stream.
type deafToxic struct{}

// Pipe swallows.
func (*deafToxic) Pipe(stub *toxics.ToxicStub) {
	in := stub.Input
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-in:
			if chunk == nil {
				in = nil // the end, which is not told
			}
		}
	}
}

// Cleanup ends the stream, and with it the connection.
func (*deafToxic) Cleanup(stub *toxics.ToxicStub) { stub.Close() }
