package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/toxic"
)

const (
	// soon bounds what must happen, silence what must not: an echo takes a millisecond.
	soon    = 10 * time.Second
	silence = 300 * time.Millisecond
)

// bench is two links to one echo server, with toxics on one of them.
type bench struct {
	t          *testing.T
	proxy      *toxic.Proxy
	sick, well string
	ended      atomic.Int64 // connections that the server saw end
	got        atomic.Int64 // bytes that it got
}

func newBench(t *testing.T) *bench {
	t.Helper()
	control := httptest.NewServer(handler())
	t.Cleanup(control.CloseClientConnections)
	b := &bench{t: t, proxy: toxic.Connect(control.URL), sick: freeAddr(t), well: freeAddr(t)}
	upstream := serve(t, func(c net.Conn) {
		defer b.ended.Add(1)
		buffer := make([]byte, 32<<10)
		for {
			n, err := c.Read(buffer)
			b.got.Add(int64(n))
			if _, writeErr := c.Write(buffer[:n]); err != nil || writeErr != nil {
				return
			}
		}
	})
	must(t, b.proxy.AddLinks(t.Context(), []toxic.Link{
		{Name: "sick", Listen: b.sick, Upstream: upstream}, {Name: "well", Listen: b.well, Upstream: upstream},
	}))
	return b
}

func (b *bench) add(name string, x toxic.Toxic) {
	b.t.Helper()
	must(b.t, b.proxy.Add(b.t.Context(), "sick", name, x))
}

// remove takes a toxic away, twice, and sees that the link is well.
func (b *bench) remove(name string) {
	b.t.Helper()
	for range 2 {
		must(b.t, b.proxy.Remove(b.t.Context(), "sick", name))
	}
	if took := echo(b.t, dial(b.t, b.sick), 10_000); took > time.Second {
		b.t.Errorf("after %s was removed an echo took %s", name, took)
	}
}

// spared sees that the other link is well.
func (b *bench) spared() {
	b.t.Helper()
	if took := echo(b.t, dial(b.t, b.well), 10_000); took > time.Second {
		b.t.Errorf("an echo over the other link took %s", took)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quiet reads nothing, for a while, and no end either.
func quiet(t *testing.T, conn net.Conn) {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(silence)))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, errTimeout(err)) || n > 0 {
		t.Errorf("read %d bytes, %v: want silence", n, err)
	}
	must(t, conn.SetReadDeadline(time.Now().Add(soon)))
}

func errTimeout(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return errors.New("a timeout")
}

func TestStallLosesNothing(t *testing.T) {
	const size = 8 << 20
	content := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(content) //nolint:errcheck // never fails
	for _, stream := range []toxic.Stream{toxic.Upstream, toxic.Downstream} {
		t.Run(string(stream), func(t *testing.T) {
			b := newBench(t)
			before := dial(t, b.sick)
			echo(t, before, 100)
			had := b.got.Load()
			b.add("stall", toxic.Stall{Stream: stream})
			during := dial(t, b.sick)
			sums := make(chan [sha256.Size]byte, 2)
			for _, conn := range []net.Conn{before, during} {
				go conn.Write(content) //nolint:errcheck // what comes back tells
				quiet(t, conn)
				go func() {
					digest := sha256.New()
					io.CopyN(digest, conn, size) //nolint:errcheck // the digest tells
					sums <- [sha256.Size]byte(digest.Sum(nil))
				}()
			}
			if got := b.got.Load() - had; (got > 0) != (stream == toxic.Downstream) {
				t.Errorf("the server got %d bytes through a stall %s", got, stream)
			}
			b.spared()
			b.remove("stall")
			for range 2 {
				select {
				case sum := <-sums:
					if sum != sha256.Sum256(content) {
						t.Error("what came back after the stall is not what was sent")
					}
				case <-time.After(soon):
					t.Fatal("the stall is over, and not all came back")
				}
			}
		})
	}
}

// TestStallAfterLosesNothing lets a server say some bytes on each connection before it is
// silent: also on one that was open before, and over the coming and going of other toxics.
func TestStallAfterLosesNothing(t *testing.T) {
	const after, size = 1000, 8 << 20
	content := make([]byte, size)
	rand.NewChaCha8([32]byte{2}).Read(content) //nolint:errcheck // never fails
	b := newBench(t)
	before := dial(t, b.sick)
	echo(t, before, 100)
	b.add("stall", toxic.Stall{Stream: toxic.Downstream, AfterBytes: after})
	during := dial(t, b.sick)
	for _, conn := range []net.Conn{before, during} {
		go conn.Write(content) //nolint:errcheck // what comes back tells
		head := make([]byte, after)
		if _, err := io.ReadFull(conn, head); err != nil || !bytes.Equal(head, content[:after]) {
			t.Fatalf("before the stall: %v", err)
		}
		quiet(t, conn)
	}
	b.add("slow", toxic.Latency{Delay: time.Millisecond, Stream: toxic.Downstream})
	quiet(t, before)
	b.spared()
	b.remove("stall")
	for _, conn := range []net.Conn{before, during} {
		must(t, conn.SetReadDeadline(time.Now().Add(soon)))
		rest := make([]byte, size-after)
		if _, err := io.ReadFull(conn, rest); err != nil || !bytes.Equal(rest, content[after:]) {
			t.Errorf("after the stall: %v", err)
		}
	}
}

// TestStallComposes puts a toxic in front of a stall, and one behind.
func TestStallComposes(t *testing.T) {
	b := newBench(t)
	b.add("slow", toxic.Latency{Delay: 200 * time.Millisecond})
	b.add("stall", toxic.Stall{})
	b.add("noise", toxic.Garble{EveryBytes: 2})
	conn := dial(t, b.sick)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	quiet(t, conn)
	b.proxy.Remove(t.Context(), "sick", "stall") //nolint:errcheck // what comes tells
	answer := make([]byte, 5)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "hdlmo" {
		t.Errorf("read %q, %v", answer, err)
	}
	for _, name := range []string{"noise", "slow"} {
		must(t, b.proxy.Remove(t.Context(), "sick", name))
	}
	b.remove("stall")
}

func TestHalfOpenIsToldToTheServerOnly(t *testing.T) {
	b := newBench(t)
	before := dial(t, b.sick)
	echo(t, before, 100)
	b.add("half", toxic.HalfOpen{})
	during := dial(t, b.sick)
	for _, conn := range []net.Conn{before, during} {
		if _, err := conn.Write(make([]byte, 100)); err != nil {
			t.Errorf("write: %v, want it to vanish", err)
		}
		quiet(t, conn)
	}
	for deadline := time.Now().Add(soon); b.ended.Load() < 2; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server saw %d connections end, want 2", b.ended.Load())
		}
	}
	if got := b.got.Load(); got > 100 {
		t.Errorf("the server got %d bytes, want those of before only", got)
	}
	b.spared()
	b.remove("half")
	for _, conn := range []net.Conn{before, during} {
		if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout(err)) {
			t.Errorf("read %d bytes, %v: want the end to be told", n, err)
		}
	}
}

func TestGarbleFlipsEveryNthByte(t *testing.T) {
	for _, stream := range []toxic.Stream{toxic.Upstream, toxic.Downstream} {
		b := newBench(t)
		b.add("noise", toxic.Garble{EveryBytes: 1000, Stream: stream}) // the other stream is as it was
		conn := dial(t, b.sick)
		sent := bytes.Repeat([]byte("x"), 100_000)
		go conn.Write(sent) //nolint:errcheck // what comes back tells
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(conn, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if want := byte('x') ^ map[bool]byte{true: 1}[(i+1)%1000 == 0]; got[i] != want {
				t.Fatalf("byte %d is %q, want %q", i, got[i], want)
			}
		}
		b.spared()
		b.remove("noise")
	}
}

func TestSlicer(t *testing.T) {
	b := newBench(t)
	b.add("slices", toxic.Slicer{AverageBytes: 100, VariationBytes: 10, Delay: 10 * time.Millisecond})
	conn := dial(t, b.sick)
	start := time.Now()
	must(t, onlyErr(conn.Write(make([]byte, 5000))))
	reads := 0
	for buffer, got := make([]byte, 5000), 0; got < 5000; reads++ {
		n, err := conn.Read(buffer)
		must(t, err)
		got += n
	}
	if took := time.Since(start); took < 340*time.Millisecond || reads < 20 { // 45 to 56 slices
		t.Errorf("5000 bytes came in %d reads, in %s", reads, took)
	}
	b.spared()
	b.remove("slices")
}

func TestSlowCloseHoldsTheEndBack(t *testing.T) {
	b := newBench(t)
	b.add("late", toxic.SlowClose{Delay: 400 * time.Millisecond})
	conn := dial(t, b.sick)
	echo(t, conn, 100)
	start := time.Now()
	must(t, conn.(*net.TCPConn).CloseWrite())
	must(t, onlyErr(io.Copy(io.Discard, conn)))
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("the end came after %s", took)
	}
	b.spared()
	b.remove("late")
}

func TestLimitDataAndResetAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		toxic toxic.Toxic
		reset bool
	}{
		"limit": {toxic: toxic.LimitData{Bytes: 5000}},
		"reset": {toxic: toxic.ResetAfter{Bytes: 5000}, reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.add(name, tc.toxic)
			conn := dial(t, b.sick)
			go conn.Write(make([]byte, 20_000)) //nolint:errcheck // what comes back tells
			must(t, conn.SetReadDeadline(time.Now().Add(soon)))
			n, err := io.Copy(io.Discard, conn)
			if errors.Is(err, syscall.ECONNRESET) != tc.reset || n > 5000 || !tc.reset && (n != 5000 || err != nil) {
				t.Errorf("read %d bytes, then %v", n, err)
			}
			b.spared()
			if left, err := b.proxy.Residue(t.Context()); err != nil || len(left) == 0 {
				t.Errorf("in force are %v, %v", left, err)
			}
			b.remove(name)
			if left, err := b.proxy.Residue(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("after it was removed there are %v, %v", left, err)
			}
		})
	}
}

// TestStreams holds bytes up in one direction: the server gets them late, or the client.
func TestStreams(t *testing.T) {
	const size, late = 4000, 225 * time.Millisecond
	for name, on := range map[string]func(toxic.Stream) toxic.Toxic{
		"latency":   func(s toxic.Stream) toxic.Toxic { return toxic.Latency{Delay: 300 * time.Millisecond, Stream: s} },
		"bandwidth": func(s toxic.Stream) toxic.Toxic { return toxic.Bandwidth{BytesPerSecond: 10_000, Stream: s} },
		"slicer": func(s toxic.Stream) toxic.Toxic {
			return toxic.Slicer{AverageBytes: 100, VariationBytes: 10, Delay: 10 * time.Millisecond, Stream: s}
		},
	} {
		for _, stream := range []toxic.Stream{toxic.Upstream, toxic.Downstream} {
			t.Run(name+" "+string(stream), func(t *testing.T) {
				b := newBench(t)
				b.add("slow", on(stream))
				conn, start := dial(t, b.sick), time.Now()
				must(t, onlyErr(conn.Write(make([]byte, size))))
				for b.got.Load() < size && time.Since(start) < soon {
					<-time.After(time.Millisecond)
				}
				there := time.Since(start)
				must(t, conn.SetReadDeadline(start.Add(soon)))
				must(t, onlyErr(io.ReadFull(conn, make([]byte, size))))
				back := time.Since(start)
				if stream == toxic.Upstream && there < late || stream == toxic.Downstream && there > late {
					t.Errorf("the server had all after %s", there)
				}
				if back < late {
					t.Errorf("the client had all back after %s", back)
				}
				b.spared()
				b.remove("slow")
			})
		}
	}
}

func onlyErr[N int | int64](_ N, err error) error { return err }
