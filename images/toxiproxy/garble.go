package main

import "github.com/Shopify/toxiproxy/v2/toxics"

// garbleToxic flips the lowest bit of every Every-th byte, counted per connection.
type garbleToxic struct {
	Every int64 `json:"every"`
}

// NewState is called once per connection: how many bytes have passed.
func (*garbleToxic) NewState() any { return new(int64) }

// Pipe passes chunks on. Each is a copy of what was read, and nobody else's (stream.ChanWriter).
func (t *garbleToxic) Pipe(stub *toxics.ToxicStub) {
	passed := stub.State.(*int64) //nolint:forcetypeassert // set by NewState
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			for i := range chunk.Data {
				if *passed++; t.Every > 0 && *passed%t.Every == 0 {
					chunk.Data[i] ^= 1
				}
			}
			stub.Output <- chunk
		}
	}
}
