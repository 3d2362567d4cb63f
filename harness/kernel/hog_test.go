//go:build linux

package kernel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// inn is a server with so many places. Whoever gets one is greeted and may stay, others
// are shown the door.
type inn struct {
	mu      sync.Mutex
	places  int
	guests  map[*net.TCPConn]bool
	greeted int
}

func (l *lab) inn(port uint16, places int) *inn {
	i := &inn{places: places, guests: map[*net.TCPConn]bool{}}
	l.serve(l.b, port, func(conn *net.TCPConn) {
		defer conn.Close() //nolint:errcheck // the client tells how it went
		if !i.enter(conn) {
			return
		}
		defer i.leave(conn)
		_, _ = io.WriteString(conn, "welcome")
		_, _ = io.Copy(io.Discard, conn)
	})
	return i
}

func (i *inn) enter(conn *net.TCPConn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.guests) == i.places {
		return false
	}
	i.guests[conn] = true
	i.greeted++
	return true
}

func (i *inn) leave(conn *net.TCPConn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.guests, conn)
}

func (i *inn) count() (guests, greeted int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.guests), i.greeted
}

// expel ends the stay of one guest.
func (i *inn) expel() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for conn := range i.guests {
		_ = conn.CloseRead() // ends the copying, and so the stay
		return
	}
}

func opens(t *testing.T, hogs *Hogs, owner string, want int) {
	t.Helper()
	eventually(t, strconv.Itoa(want)+" open connections of "+owner, func() bool {
		now, err := hogs.Open(owner)
		must(t, err)
		return now == want
	})
}

func TestHogTakesAllPlacesAndGivesThemBack(t *testing.T) {
	l := newLab(t)
	inn := l.inn(8002, 20)
	k := l.link(8002, 20001)
	l.steer(k)
	must(t, hears(l.dial(k), "welcome", soon))

	var hogs Hogs
	must(t, hogs.Add("hog", l.a, k.server, 30))
	eventually(t, "all were steered", func() bool { return k.accepted.Load() >= 31 })
	eventually(t, "all places are taken", func() bool { guests, _ := inn.count(); return guests == 20 })
	for range 3 {
		if err := hears(l.dial(k), "welcome", soon); !errors.Is(err, io.EOF) {
			t.Errorf("a guest of a full house: %v, want EOF", err)
		}
	}
	// A place that becomes free is taken again.
	for range 3 {
		_, before := inn.count()
		inn.expel()
		eventually(t, "the place is taken again", func() bool {
			guests, greeted := inn.count()
			return guests == 20 && greeted > before
		})
	}
	if now, err := hogs.Open("hog"); err != nil || now < 18 || now > 30 {
		t.Errorf("%d are open, %v; want 20 that stay and some that come and go", now, err)
	}

	hogs.Remove("hog")
	// All but the one that was there before.
	eventually(t, "the places are free", func() bool { guests, _ := inn.count(); return guests <= 1 })
	must(t, hears(l.dial(k), "welcome", soon))
	_, before := inn.count()
	<-time.After(2 * hogPause)
	if _, now := inn.count(); now != before {
		t.Errorf("%d more came after the hog was removed", now-before)
	}
	hogs.Remove("hog")
	if now, err := hogs.Open("hog"); now != 0 || err != nil {
		t.Errorf("removed, but %d are open, %v", now, err)
	}
}

func TestHogGoesOnTrying(t *testing.T) {
	l := newLab(t)
	k := l.link(8002, 20001)
	l.steer(k)
	var hogs Hogs
	var book Rulebook

	// Refused, until there is a server.
	server := netip.AddrPortFrom(addressB, 8003)
	must(t, hogs.Add("refused", l.t, server, 50))
	opens(t, &hogs, "refused", 0)
	first := l.inn(8003, 100)
	opens(t, &hogs, "refused", 50)
	eventually(t, "the server has them", func() bool { guests, _ := first.count(); return guests == 50 })

	// Unheard, until packets arrive again.
	l.inn(8002, 100)
	must(t, book.Add("cut", []Placement{upstream(l, Drop, k)}))
	started := time.Now()
	must(t, hogs.Add("unheard", l.a, k.server, 50))
	if took := time.Since(started); took < hogPatience || took > hogTriedWithin/2 {
		t.Errorf("all was tried after %s, want little more than %s", took, hogPatience)
	}
	opens(t, &hogs, "unheard", 0)
	must(t, book.Remove("cut"))
	opens(t, &hogs, "unheard", 50)
	hogs.Remove("unheard")

	// Removed while it is tried for the first time.
	must(t, book.Add("cut", []Placement{upstream(l, Drop, k)}))
	added := make(chan error, 1)
	go func() { added <- hogs.Add("unheard", l.a, k.server, 50) }()
	eventually(t, "the hog is there", func() bool { hogs.mu.Lock(); defer hogs.mu.Unlock(); return hogs.hogs["unheard"] != nil })
	hogs.Remove("unheard")
	if err := <-added; err == nil {
		t.Error("a hog that was removed before all was tried was added")
	}

	opens(t, &hogs, "refused", 50)
	hogs.Remove("refused")
	eventually(t, "the server is rid of them", func() bool { guests, _ := first.count(); return guests == 0 })
}

func TestHogOfThousandsNeedsNoThreadForEach(t *testing.T) {
	l := newLab(t)
	listener := l.listen(l.b, 8002)
	var mu sync.Mutex
	var held []net.Conn
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			mu.Lock()
			held = append(held, conn)
			mu.Unlock()
		}
	}()
	threads := func() int {
		all, err := os.ReadDir("/proc/self/task")
		must(t, err)
		return len(all)
	}
	const many = 3000
	before := threads()
	var hogs Hogs
	started := time.Now()
	must(t, hogs.Add("hog", l.a, netip.AddrPortFrom(addressB, 8002), many))
	t.Logf("%d connections took %s and %d threads", many, time.Since(started), threads()-before)
	opens(t, &hogs, "hog", many)
	// Tests beside this one have threads of their own.
	if more := threads() - before; more > many/10 {
		t.Errorf("%d more threads for %d connections", more, many)
	}
	hogs.Remove("hog")

	// Those that are refused, and due again, must not keep others from their first try.
	started = time.Now()
	must(t, hogs.Add("refused", l.a, netip.AddrPortFrom(addressB, 8003), many))
	if took := time.Since(started); took > hogTriedWithin/2 {
		t.Errorf("%d refusals took %s", many, took)
	}
	hogs.Remove("refused")
}

func TestHogEndsWithItsNamespace(t *testing.T) {
	l := newLab(t)
	inn := l.inn(8002, 100)
	server := netip.AddrPortFrom(addressB, 8002)
	var hogs Hogs
	must(t, hogs.Add("hog", l.a, server, 10))
	if err := hogs.Add("hog", l.a, server, 10); !errors.Is(err, ErrOwnerExists) {
		t.Errorf("the same owner twice: %v, want ErrOwnerExists", err)
	}
	eventually(t, "all have a place", func() bool { guests, _ := inn.count(); return guests == 10 })
	l.a.Close()
	eventually(t, "the hog ends", func() bool { _, err := hogs.Open("hog"); return errors.Is(err, ErrGone) })
	eventually(t, "the places are free", func() bool { guests, _ := inn.count(); return guests == 0 })
	hogs.Remove("hog")
	for range 2 {
		if err := hogs.Add("hog", l.a, server, 10); !errors.Is(err, ErrGone) {
			t.Errorf("a hog in a namespace that is gone: %v, want ErrGone", err)
		}
	}
}

func TestSenselessHogsAreRefused(t *testing.T) {
	server := netip.AddrPortFrom(addressB, 1)
	var senseless *InvalidError
	for name, err := range map[string]error{
		"owner":    new(Hogs).Add("Upper", nil, server, 1),
		"none":     new(Hogs).Add("hog", nil, server, 0),
		"too many": new(Hogs).Add("hog", nil, server, mostHogged+1),
		"port 0":   new(Hogs).Add("hog", nil, netip.AddrPortFrom(addressB, 0), 1),
		"ipv6":     new(Hogs).Add("hog", nil, netip.MustParseAddrPort("[::1]:1"), 1),
	} {
		if !errors.As(err, &senseless) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}
