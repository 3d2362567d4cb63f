//go:build linux

package kernel

import (
	"errors"
	"io"
	"maps"
	"net"
	"testing"
	"time"
)

const (
	megabyte = 1 << 20
	// narrow is an MTU, in bytes, of a tunnel inside a tunnel.
	narrow = 1200
)

// upload sends so many bytes from A over a fresh connection and waits until the
// server has said that it has them; download asks for them.
func (l *lab) upload(k *link, size int, within time.Duration) error {
	return l.transfer(k, 'u', size, within)
}

func (l *lab) download(k *link, size int, within time.Duration) error {
	return l.transfer(k, 'd', size, within)
}

func (l *lab) transfer(k *link, direction byte, size int, within time.Duration) error {
	conn, err := l.a.DialContext(l.tb.Context(), "tcp", k.server.String())
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the transfer is over
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{direction, byte(size >> 16), byte(size >> 8), byte(size)}); err != nil {
		return err
	}
	if direction == 'u' {
		if _, err := conn.Write(make([]byte, size)); err != nil {
			return err
		}
		size = 1
	}
	_, err = io.CopyN(io.Discard, conn, int64(size))
	return err
}

// bulk is the server that upload and download speak to.
func (l *lab) bulk(port uint16) {
	l.serve(l.b, port, func(conn *net.TCPConn) {
		defer conn.Close() //nolint:errcheck // the client tells how it went
		head := make([]byte, 4)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		size := int64(head[1])<<16 | int64(head[2])<<8 | int64(head[3])
		if head[0] == 'd' {
			_, _ = conn.Write(make([]byte, size))
		} else if _, err := io.CopyN(io.Discard, conn, size); err == nil {
			_, _ = conn.Write([]byte{1})
		}
		_, _ = io.Copy(io.Discard, conn) // until the client has closed
	})
}

func TestBlackHoleForLargePackets(t *testing.T) {
	for name, side := range map[string]struct {
		place         func(*lab, Verdict, ...*link) Placement
		stuck, spared func(*lab, *link, int, time.Duration) error
	}{
		"upstream":   {place: upstream, stuck: (*lab).upload, spared: (*lab).download},
		"downstream": {place: downstream, stuck: (*lab).download, spared: (*lab).upload},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.bulk(65002)
			l.bulk(65003)
			k, sibling := l.link(65002, 20001), l.link(65003, 20002)
			l.steer(k, sibling)
			for _, transfer := range []func(*lab, *link, int, time.Duration) error{side.stuck, side.spared} {
				must(t, transfer(l, k, megabyte, soon))
			}

			before, err := l.a.Offloads()
			must(t, err)
			var offloads Offloads
			var book Rulebook
			must(t, offloads.Disable("hole", []*Namespace{l.a, l.t}))
			must(t, side.stuck(l, k, megabyte, soon))
			fault := side.place(l, Drop, k)
			fault.Rule.LongerThan = narrow
			must(t, book.Add("hole", []Placement{fault}))

			must(t, side.stuck(l, k, 500, soon))
			must(t, side.spared(l, k, megabyte, soon))
			if err := side.stuck(l, k, megabyte, silence); classify(err) != TimedOut {
				t.Errorf("1 MB into the hole: %v, want a timeout", err)
			}
			must(t, side.stuck(l, sibling, megabyte, soon))

			// The cure that an operator has: the client's interface says so.
			previous, err := l.a.SetMTU(narrow)
			must(t, err)
			must(t, side.stuck(l, k, megabyte, soon))
			if now, err := l.a.MTU(); err != nil || now != narrow || previous != 1500 {
				t.Errorf("mtu %d (%v), was %d; want %d and 1500", now, err, previous, narrow)
			}
			_, err = l.a.SetMTU(previous)
			must(t, err)

			must(t, book.Remove("hole"))
			must(t, offloads.Restore("hole"))
			must(t, offloads.Restore("hole"))
			must(t, side.stuck(l, k, megabyte, soon))
			if after, err := l.a.Offloads(); err != nil || !maps.Equal(before, after) {
				t.Errorf("offloads %v (%v), want %v as before", after, err, before)
			}
		})
	}
}

func TestExactlySoManyBytesPass(t *testing.T) {
	l := newLab(t)
	l.echo(8002)
	k := l.link(8002, 20001)
	l.steer(k)
	conn := l.dial(k)
	must(t, says(conn, "before", soon))
	var book Rulebook
	fault := upstream(l, Drop, k)
	// IP header 20, TCP header 20, timestamps 12.
	fault.Rule.LongerThan = 52 + 100
	must(t, book.Add("hole", []Placement{fault}))
	must(t, says(conn, string(make([]byte, 100)), soon))
	if err := says(conn, string(make([]byte, 101)), silence); classify(err) != TimedOut {
		t.Errorf("one byte more: %v, want silence", err)
	}
}

func TestOffloadsHaveOwners(t *testing.T) {
	l := newLab(t)
	before, err := l.a.Offloads()
	must(t, err)
	if !before["tx-tcp-segmentation"] || !before["tx-generic-segmentation"] {
		t.Fatalf("offloads of a fresh veth: %v; nothing to switch off", before)
	}
	off := func() bool {
		states, err := l.a.Offloads()
		must(t, err)
		for _, on := range states {
			if on {
				return false
			}
		}
		return true
	}
	var offloads Offloads
	must(t, offloads.Disable("one", []*Namespace{l.a}))
	must(t, offloads.Disable("two", []*Namespace{l.a, l.t}))
	must(t, offloads.Disable("two", []*Namespace{l.a}))
	must(t, offloads.Restore("one"))
	if !off() {
		t.Error("on again while the second owner wants them off")
	}
	must(t, offloads.Restore("two"))
	if after, err := l.a.Offloads(); err != nil || !maps.Equal(before, after) {
		t.Errorf("offloads %v (%v), want %v as before", after, err, before)
	}

	gone := Attach("gone", newNamespace(t))
	gone.Close()
	if err := offloads.Disable("three", []*Namespace{l.a, gone}); !errors.Is(err, ErrGone) {
		t.Errorf("disable: %v, want ErrGone", err)
	}
	if after, err := l.a.Offloads(); err != nil || !maps.Equal(before, after) {
		t.Errorf("after a partial failure offloads %v (%v), want %v", after, err, before)
	}
	must(t, offloads.Disable("four", []*Namespace{l.a, l.b}))
	l.b.Close()
	must(t, offloads.Restore("four"))
}

func TestMTUThatCannotBeIsRefused(t *testing.T) {
	l := newLab(t)
	if _, err := l.a.SetMTU(1); err == nil {
		t.Error("an mtu of 1 was accepted")
	}
	if now, err := l.a.MTU(); err != nil || now != 1500 {
		t.Errorf("mtu %d (%v), want 1500", now, err)
	}
}
