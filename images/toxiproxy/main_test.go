package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/toxic"
)

// TestLinks goes through the whole control API as the harness uses it: links, the
// live ledger, toxics on, toxics off.
func TestLinks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	upstream := echoServer(t)
	control := httptest.NewServer(handler())
	defer control.Close()
	proxy := toxic.Connect(control.URL)
	if err := proxy.Answers(ctx); err != nil {
		t.Fatal(err)
	}
	listen := freeAddr(t)
	link := toxic.Link{Name: "a>b:1 on " + listen, Listen: listen, Upstream: upstream}
	if err := proxy.AddLinks(ctx, []toxic.Link{link}); err != nil {
		t.Fatal(err)
	}
	if err := proxy.AddLinks(ctx, []toxic.Link{link}); err == nil {
		t.Error("the same link was laid twice")
	}

	conn := dial(t, listen)
	if took := echo(t, conn, 1000); took > time.Second {
		t.Errorf("echo without a toxic took %s", took)
	}
	counts, err := proxy.Ledger(ctx) // the connection is still open
	if err != nil {
		t.Fatal(err)
	}
	if got, want := counts[link.Name], (toxic.Count{Up: 1000, Down: 1000, Conns: 1}); got != want {
		t.Errorf("ledger of an open connection = %+v, want %+v", got, want)
	}

	if err := proxy.Add(ctx, link.Name, "slow", toxic.Latency{Delay: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if took := echo(t, conn, 10); took < 250*time.Millisecond {
		t.Errorf("echo with 300 ms of latency took %s", took)
	}
	for range 2 { // removing twice is harmless
		if err := proxy.Remove(ctx, link.Name, "slow"); err != nil {
			t.Fatal(err)
		}
	}
	if took := echo(t, conn, 10); took > 250*time.Millisecond {
		t.Errorf("echo after the latency was removed took %s", took)
	}

	if err := proxy.Add(ctx, link.Name, "thin", toxic.Bandwidth{BytesPerSecond: 100_000}); err != nil {
		t.Fatal(err)
	}
	if took := echo(t, conn, 50_000); took < 350*time.Millisecond {
		t.Errorf("50 kB at 100 kB/s took %s", took)
	}
	if err := proxy.Remove(ctx, link.Name, "thin"); err != nil {
		t.Fatal(err)
	}

	if err := proxy.Add(ctx, link.Name, "reset", toxic.ResetPeer{}); err != nil {
		t.Fatal(err)
	}
	fresh := dial(t, listen)
	if _, err := fresh.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n, err := fresh.Read(make([]byte, 10)); err == nil {
		t.Errorf("read %d bytes through a link that resets", n)
	}
}

// TestRemoveFromStalledLink removes a toxic while the client reads nothing, so that
// the toxic is stuck in its write.
func TestRemoveFromStalledLink(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	control := httptest.NewServer(handler())
	t.Cleanup(control.CloseClientConnections) // not Close: the hanging removal holds its request for 25 s
	proxy := toxic.Connect(control.URL)
	listen := freeAddr(t)
	if err := proxy.AddLinks(ctx, []toxic.Link{{Name: "stalled", Listen: listen, Upstream: source(t)}}); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Add(ctx, "stalled", "slow", toxic.Latency{Delay: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, listen)
	defer conn.Close() //nolint:errcheck // the test is over
	last := int64(-1)
	for now := int64(0); now != last; now = down(t, ctx, proxy, "stalled") { // until the buffers are full
		last = now
		<-time.After(200 * time.Millisecond)
	}
	if err := proxy.Remove(ctx, "stalled", "slow"); err != nil {
		t.Fatalf("heal a stalled link: %v", err)
	}
	fresh := dial(t, listen)
	if err := fresh.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Read(make([]byte, 1)); err != nil {
		t.Errorf("read through the healed link: %v", err)
	}
}

// TestToxicsStayOnTheirLink puts every toxic on one of two links to one server: only
// that link shows it, towards the client only, two of them compose, and both heal.
func TestToxicsStayOnTheirLink(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	control := httptest.NewServer(handler())
	defer control.Close()
	proxy := toxic.Connect(control.URL)
	upstream, sick, well := echoServer(t), freeAddr(t), freeAddr(t)
	if err := proxy.AddLinks(ctx, []toxic.Link{
		{Name: "sick", Listen: sick, Upstream: upstream}, {Name: "well", Listen: well, Upstream: upstream},
	}); err != nil {
		t.Fatal(err)
	}
	const payload = 40_000
	for name, tc := range map[string]struct {
		toxic   toxic.Toxic
		slower  time.Duration // than a link without it, for the payload
		resets  bool
		arrives bool // what the client sends reaches the server all the same
	}{
		"delay":     {toxic: toxic.Latency{Delay: 300 * time.Millisecond}, slower: 225 * time.Millisecond, arrives: true},
		"bandwidth": {toxic: toxic.Bandwidth{BytesPerSecond: 100_000}, slower: 300 * time.Millisecond, arrives: true},
		"reset":     {toxic: toxic.ResetPeer{}, resets: true, arrives: true},
	} {
		if err := proxy.Add(ctx, "sick", name, tc.toxic); err != nil {
			t.Fatal(err)
		}
		before, err := proxy.Ledger(ctx)
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, sick)
		if tc.resets {
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the client read %v", name, err)
			}
		} else if took := echo(t, conn, payload); took < tc.slower {
			t.Errorf("%s: %d bytes came back after %s", name, payload, took)
		}
		after, err := proxy.Ledger(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if sent := after["sick"].Up - before["sick"].Up; tc.arrives && sent == 0 {
			t.Errorf("%s: nothing went up", name)
		}
		if took := echo(t, dial(t, well), payload); took > 200*time.Millisecond {
			t.Errorf("%s on the other link: %d bytes came back after %s", name, payload, took)
		}
		for range 2 {
			if err := proxy.Remove(ctx, "sick", name); err != nil {
				t.Errorf("%s: heal: %v", name, err)
			}
		}
		if took := echo(t, dial(t, sick), payload); took > 200*time.Millisecond {
			t.Errorf("%s healed: %d bytes came back after %s", name, payload, took)
		}
	}

	// In this order: toxiproxy counts a delay from the arrival of a chunk, and takes what
	// an earlier toxic held it back for as served.
	for _, err := range []error{
		proxy.Add(ctx, "sick", "slow", toxic.Latency{Delay: 200 * time.Millisecond}),
		proxy.Add(ctx, "sick", "thin", toxic.Bandwidth{BytesPerSecond: 100_000}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if took := echo(t, dial(t, sick), payload); took < 450*time.Millisecond {
		t.Errorf("200 ms and 100 kB/s together: %d bytes came back after %s", payload, took)
	}
	if err := proxy.Remove(ctx, "sick", "thin"); err != nil {
		t.Fatal(err)
	}
	if took := echo(t, dial(t, sick), 10); took < 150*time.Millisecond || took > 400*time.Millisecond {
		t.Errorf("with 200 ms left of the two, 10 bytes came back after %s", took)
	}
}

func down(t *testing.T, ctx context.Context, proxy *toxic.Proxy, link string) int64 { //nolint:revive // t first
	t.Helper()
	counts, err := proxy.Ledger(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return counts[link].Down
}

func echo(t *testing.T, conn net.Conn, n int) time.Duration {
	t.Helper()
	start := time.Now()
	sent := bytes.Repeat([]byte("x"), n)
	go conn.Write(sent) //nolint:errcheck // the read below tells
	got := make([]byte, n)
	if err := conn.SetReadDeadline(start.Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("echo of %d bytes: %v", n, err)
	}
	return time.Since(start)
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // the test is over
	return conn
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its address is wanted
	return l.Addr().String()
}

func echoServer(t *testing.T) string {
	t.Helper()
	return serve(t, func(c net.Conn) { io.Copy(c, c) }) //nolint:errcheck // until the client goes
}

// source is a server that sends without end.
func source(t *testing.T) string {
	t.Helper()
	return serve(t, func(c net.Conn) {
		for chunk := make([]byte, 1<<16); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	})
}

func serve(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // the test is over
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // the client is gone
				talk(c)
			}()
		}
	}()
	return l.Addr().String()
}
