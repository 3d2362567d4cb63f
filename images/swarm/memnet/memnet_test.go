package memnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/memnet"
)

// couple is two hosts, of which b listens at port 80.
type couple struct {
	n    *memnet.Network
	a, b *memnet.Host
	l    net.Listener
}

func newCouple(t *testing.T) *couple {
	t.Helper()
	n := memnet.New()
	c := &couple{n: n, a: n.Host("a", "10.0.0.1"), b: n.Host("b", "10.0.0.2")}
	c.listen(t)
	t.Cleanup(func() { _ = c.l.Close() })
	return c
}

func (c *couple) listen(t *testing.T) {
	t.Helper()
	var err error
	if c.l, err = c.b.Listen("tcp", ":80"); err != nil {
		t.Fatal(err)
	}
}

// connect is both ends of a new connection, closed with the test.
func (c *couple) connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	client, err := c.a.DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	if server, err = c.l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

// dial is how a call ends that may take a minute, and how long it took.
func (c *couple) dial(t *testing.T, address string) (time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	conn, err := c.a.DialContext(ctx, "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return time.Since(began), err
}

func TestConnectionsAreNetConns(t *testing.T) {
	t.Parallel()
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		n := memnet.New()
		a, b := n.Host("a", "10.0.0.1"), n.Host("b", "10.0.0.2")
		l, err := b.Listen("tcp", ":0")
		if err != nil {
			return nil, nil, nil, err
		}
		client, err := a.DialContext(context.Background(), "tcp", fmt.Sprintf("b:%d", l.Addr().(*net.TCPAddr).Port)) //nolint:forcetypeassert // it listens on tcp
		if err != nil {
			return nil, nil, nil, err
		}
		server, err := l.Accept()
		return client, server, func() { _, _, _ = client.Close(), server.Close(), l.Close() }, err
	})
}

// Each way to fail has the error by which an operator knows it.
func TestFailuresHaveTheirCauses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address string
		fault   memnet.Fault
		want    cause.Cause
		within  time.Duration
	}{
		"refused":           {"b:81", nil, cause.Refused, 0},
		"refused by fault":  {"b:80", memnet.Refuse{Links: memnet.To("b", 80)}, cause.Refused, 0},
		"silence":           {"b:80", memnet.Drop{Links: memnet.Between("a", "b")}, cause.TimedOut, time.Minute},
		"silence on return": {"b:80", memnet.Drop{Links: memnet.To("b", 80), Way: memnet.Down}, cause.TimedOut, time.Minute},
		"no such host":      {"c:80", nil, cause.NoSuchHost, 0},
		"silent resolver":   {"b:80", memnet.Drop{Links: memnet.To(memnet.Resolver, 53)}, cause.TimedOut, time.Minute},
		"nobody there":      {"10.0.0.9:80", nil, cause.Unreachable, 3 * time.Second},
		"late":              {"b:80", memnet.Delay{Links: memnet.To("b", 80), By: 31 * time.Second}, cause.TimedOut, time.Minute},
		"another port":      {"b:80", memnet.Drop{Links: memnet.To("b", 81)}, "", 0},
		"healthy":           {"10.0.0.2:80", nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c2 := newCouple(t)
				if c.fault != nil {
					defer c2.n.Inject(c.fault)()
				}
				took, err := c2.dial(t, c.address)
				if got := cause.Of(err); got != c.want || took != c.within {
					t.Errorf("%q (%v) after %s, want %q after %s", got, err, took, c.want, c.within)
				}
				var op *net.OpError
				if err != nil && (!errors.As(err, &op) || op.Op != "dial") {
					t.Errorf("%T is not a failed dial", err)
				}
			})
		})
	}
}

func TestCanceledDial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.n.Inject(memnet.Drop{Links: memnet.Around("b")})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := c.a.DialContext(ctx, "tcp", "b:80"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// What is written into silence comes when it is over; a dial under way succeeds then.
func TestSilenceKeepsWhatIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		client, server := c.connect(t)
		heal := c.n.Inject(memnet.Drop{Links: memnet.To("b", 80), Way: memnet.Up})
		if _, err := client.Write([]byte("up")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Write([]byte("down")); err != nil {
			t.Fatal(err)
		}
		if got := readSome(t, client); got != "down" {
			t.Errorf("the other way: %q", got)
		}
		began := time.Now()
		time.AfterFunc(time.Hour, heal)
		if got := readSome(t, server); got != "up" || time.Since(began) != time.Hour {
			t.Errorf("%q after %s", got, time.Since(began))
		}
		heal = c.n.Inject(memnet.Drop{Links: memnet.To("b", 80)})
		time.AfterFunc(time.Second, heal)
		if took, err := c.dial(t, "b:80"); err != nil || took != time.Second {
			t.Errorf("dial over the end of silence: %v after %s", err, took)
		}
	})
}

func TestSilenceFillsTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		client, server := c.connect(t)
		heal := c.n.Inject(memnet.Drop{Links: memnet.Around("b")})
		_ = client.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := client.Write(make([]byte, 1<<20))
		if cause.Of(err) != cause.TimedOut || n >= 1<<20 || n == 0 {
			t.Errorf("%d bytes, %v", n, err)
		}
		heal()
		_ = client.Close()
		if all, err := io.ReadAll(server); err != nil || len(all) != n {
			t.Errorf("%d bytes of %d, %v", len(all), n, err)
		}
	})
}

func TestResetBreaksBothEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		client, server := c.connect(t)
		heal := c.n.Inject(memnet.Reset{Links: memnet.Between("a", "b")})
		for _, conn := range []net.Conn{client, server} {
			if _, err := conn.Read(make([]byte, 1)); cause.Of(err) != cause.Reset {
				t.Errorf("read: %v", err)
			}
			if _, err := conn.Write(make([]byte, 1)); cause.Of(err) != cause.Reset {
				t.Errorf("write: %v", err)
			}
		}
		client, _ = c.connect(t)
		_, _ = client.Write([]byte("x"))
		if _, err := client.Read(make([]byte, 1)); cause.Of(err) != cause.Reset {
			t.Errorf("a new connection under the fault: %v", err)
		}
		heal()
		client, server = c.connect(t)
		_, _ = client.Write([]byte("x"))
		if got := readSome(t, server); got != "x" {
			t.Errorf("after healing: %q", got)
		}
	})
}

// A host that is switched off leaves its connections half open; once it is back, it
// does not know them.
func TestDeadHostLeavesConnectionsHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		client, server := c.connect(t)
		c.b.PowerOff()
		_ = server.Close()
		if _, err := client.Write([]byte("x")); err != nil {
			t.Errorf("a write into the void: %v", err)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := client.Read(make([]byte, 1)); cause.Of(err) != cause.TimedOut {
			t.Errorf("a dead host was heard: %v", err)
		}
		if _, err := c.dial(t, "b:80"); cause.Of(err) != cause.TimedOut {
			t.Errorf("a dead host was reached: %v", err)
		}
		_ = client.SetReadDeadline(time.Time{})
		c.b.PowerOn()
		if _, err := client.Read(make([]byte, 1)); cause.Of(err) != cause.Reset {
			t.Errorf("after the restart: %v", err)
		}
		if _, err := c.dial(t, "b:80"); cause.Of(err) != cause.Refused {
			t.Errorf("nobody listens yet: %v", err)
		}
		c.listen(t)
		c.connect(t)
	})
}

func TestNamesMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		moved := c.n.Host("elsewhere", "10.0.0.3")
		l, err := moved.Listen("tcp", "10.0.0.3:80")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		c.n.Name("b", "10.0.0.3")
		conn, err := c.a.DialContext(t.Context(), "tcp", "b:80")
		if err != nil || conn.RemoteAddr().String() != "10.0.0.3:80" {
			t.Fatalf("%v, %v", conn, err)
		}
		_ = conn.Close()
		c.n.Name("b")
		if _, err := c.dial(t, "b:80"); cause.Of(err) != cause.NoSuchHost {
			t.Errorf("%v", err)
		}
	})
}

// Bytes take the link's time, in order, at its rate.
func TestLatencyAndRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.n.Latency = func(string, string) time.Duration { return 10 * time.Millisecond }
		began := time.Now()
		client, server := c.connect(t)
		if got := time.Since(began); got != 40*time.Millisecond { // a name, then a connect
			t.Errorf("connected after %s", got)
		}
		c.n.Inject(memnet.Slow{Links: memnet.To("b", 80), Rate: 1 << 20})
		began = time.Now()
		go func() { _, _ = client.Write(make([]byte, 2<<20)); _ = client.Close() }()
		n, err := io.Copy(io.Discard, server)
		if got := time.Since(began); n != 2<<20 || err != nil || got != 2*time.Second+10*time.Millisecond {
			t.Errorf("%d bytes after %s, %v", n, got, err)
		}
	})
}

// Nothing is left of connections whose ends are closed, whatever was under way.
func TestClosedConnectionsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		client, server := c.connect(t)
		_, _ = client.Write([]byte("nobody reads this"))
		synctest.Wait()
		_ = server.Close()
		if _, err := client.Read(make([]byte, 1)); cause.Of(err) != cause.Reset {
			t.Errorf("unread bytes, and the far end closed: %v", err)
		}
		_ = client.Close()
		client, server = c.connect(t)
		c.n.Inject(memnet.Drop{Links: memnet.Around("a")})
		_, _ = client.Write([]byte("nor this"))
		_, _ = client.Close(), server.Close()
		if n := c.n.Open(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestUnixSocketsStayOnTheirHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		l, err := c.a.Listen("unix", "/run/s")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		c.n.Inject(memnet.Drop{Links: memnet.Around("a")})
		conn, err := c.a.DialContext(t.Context(), "unix", "/run/s")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = server.Close() }()
		_, _ = conn.Write([]byte("x"))
		if got := readSome(t, server); got != "x" {
			t.Errorf("%q", got)
		}
		if _, err := c.b.DialContext(t.Context(), "unix", "/run/s"); cause.Of(err) != cause.Refused {
			t.Errorf("from another host: %v", err)
		}
	})
}

func readSome(t *testing.T, conn net.Conn) string {
	t.Helper()
	p := make([]byte, 64)
	n, err := conn.Read(p)
	if err != nil {
		t.Errorf("read: %v", err)
	}
	return string(p[:n])
}
