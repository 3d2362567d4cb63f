package main

import (
	"sync"
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// count is what passed over one link so far. Up is from client to server; all
// figures are payload bytes.
type count struct {
	Up    atomic.Int64
	Down  atomic.Int64
	Conns atomic.Int64
}

// books holds one count per link, by the link's name. It is global because toxiproxy
// makes toxics from their JSON alone and gives them nothing else to find it by.
var books sync.Map // string -> *count

func bookOf(link string) *count {
	c, _ := books.LoadOrStore(link, new(count))
	return c.(*count) //nolint:forcetypeassert // only counts are stored
}

// ledgerToxic counts bytes as they pass and changes nothing. Toxiproxy's own
// counters are added up when a connection ends; a connection that stays open for the
// whole of a scenario would not show in them until it is too late.
type ledgerToxic struct {
	Link string `json:"link"`
	Up   bool   `json:"up"`
}

// NewState is called once per connection and direction.
func (t *ledgerToxic) NewState() any {
	book := bookOf(t.Link)
	if t.Up {
		book.Conns.Add(1)
		return &book.Up
	}
	return &book.Down
}

// Pipe passes every chunk on and adds its length to the book.
func (t *ledgerToxic) Pipe(stub *toxics.ToxicStub) {
	bytes := stub.State.(*atomic.Int64) //nolint:forcetypeassert // set by NewState
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			bytes.Add(int64(len(chunk.Data)))
			stub.Output <- chunk
		}
	}
}
