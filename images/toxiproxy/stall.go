package main

import "github.com/Shopify/toxiproxy/v2/toxics"

// stallToxic lets nothing pass until it is removed. It does not even read, so nothing is
// in its hands that could be lost: toxiproxy hands on what waits before it when it goes.
// What waits is counted in the ledger already, up to what the buffers hold. The toxic in
// front of it cannot be removed while it waits to hand over, see toxic.Proxy.Remove.
type stallToxic struct{}

// Pipe waits.
func (*stallToxic) Pipe(stub *toxics.ToxicStub) { <-stub.Interrupt }
