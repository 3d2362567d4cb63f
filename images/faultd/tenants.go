//go:build linux

package main

import (
	"sync"
	"time"
)

// tenants are the processes of a session that lay beds of their own. Each holds a lease
// for its beds, told by what their names begin with: one that was killed must not leave
// a bed to the session's end.
type tenants struct {
	term  time.Duration
	evict func(beds string)

	mu   sync.Mutex
	held map[string]tenancy
}

// tenancy is a lease, and a channel that is closed when it is given back.
type tenancy struct {
	*lease
	left chan struct{}
}

func newTenants(term time.Duration, evict func(beds string)) *tenants {
	return &tenants{term: term, evict: evict, held: map[string]tenancy{}}
}

// Renew keeps the beds for another term. It says false when their lease has run out.
func (t *tenants) Renew(beds string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	here, known := t.held[beds]
	if !known {
		here = tenancy{newLease(t.term, t.term), make(chan struct{})}
		t.held[beds] = here
		go func() {
			select {
			case <-here.Expired():
				t.evict(beds)
			case <-here.left:
			}
		}()
	}
	return here.Renew()
}

// Break lets the lease of beds run out soon: their process is gone.
func (t *tenants) Break(beds string, soon time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if here, known := t.held[beds]; known {
		here.Break(soon)
	}
}

// Leave gives a lease back: who had it has put its beds away.
func (t *tenants) Leave(beds string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if here, known := t.held[beds]; known {
		close(here.left)
		delete(t.held, beds)
	}
}
