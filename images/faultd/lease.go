//go:build linux

package main

import (
	"sync"
	"time"
)

// lease runs out when it is not renewed in time, once and for all. Its clock
// stands still while the machine sleeps.
type lease struct {
	term    time.Duration
	expired chan struct{}

	mu     sync.Mutex
	timer  *time.Timer
	until  time.Time
	broken bool
}

// newLease starts with a first term and goes on with another after each
// renewal.
func newLease(first, term time.Duration) *lease {
	l := &lease{term: term, expired: make(chan struct{}), until: time.Now().Add(first)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(first, l.expire)
	return l
}

// Renew says false when it comes too late.
func (l *lease) Renew() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() || l.broken {
		return false
	}
	l.until = time.Now().Add(l.term)
	l.timer.Reset(l.term)
	return true
}

// Break lets the lease run out soon: whoever held it is known to be gone.
func (l *lease) Break(soon time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() {
		return
	}
	l.broken = true
	if until := time.Now().Add(soon); until.Before(l.until) {
		l.until = until
		l.timer.Reset(soon)
	}
}

// Expired is closed when the lease has run out.
func (l *lease) Expired() <-chan struct{} { return l.expired }

// Over says whether the lease has run out.
func (l *lease) Over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over()
}

func (l *lease) over() bool {
	select {
	case <-l.expired:
		return true
	default:
		return false
	}
}

func (l *lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() {
		return
	}
	// The timer may have fired while a renewal was holding the lock.
	if left := time.Until(l.until); left > 0 {
		l.timer.Reset(left)
		return
	}
	close(l.expired)
}
