//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/faultbed/faultbed/harness/agent"
)

// dialNode is a client, a node, and a listener on the node's loopback.
func dialNode(t *testing.T) (client *agent.Client, id string, listener net.Listener) {
	t.Helper()
	process := startNode(t)
	id = "0123456789abcdef"
	engine := &fakeEngine{containers: map[string]container{
		id: {ID: id, Name: "peer-1", Session: mine, Running: true, PID: process.Pid},
	}}
	within(t, process, func() (err error) {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	t.Cleanup(func() { _ = listener.Close() })
	return dial(t, serve(t, engine, newLease(time.Hour, time.Hour))), id, listener
}

// within does something in a node's network namespace, with loopback up.
func within(t *testing.T, node *os.Process, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and dies with its thread, which is in another namespace
		done <- func() error {
			namespace, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", node.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(namespace) //nolint:errcheck // the test is over
			if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := loopbackUp(); err != nil {
				return err
			}
			return do()
		}()
	}()
	must(t, <-done)
}

// loopbackUp sets lo of this thread's namespace up: netdevice(7).
func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket) //nolint:errcheck // only asked
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo)
}

func TestFetch(t *testing.T) {
	body := bytes.Repeat([]byte("faultbed "), 100_000)
	client, id, listener := dialNode(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bulk":
			_, _ = w.Write(body)
		case "/huge":
			_, _ = w.Write(make([]byte, 9<<20))
		default:
			http.NotFound(w, r)
		}
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	status, got, err := client.Fetch(t.Context(), id, server.URL+"/bulk")
	if err != nil || status != http.StatusOK || !bytes.Equal(got, body) {
		t.Errorf("status %d, %d of %d bytes, %v", status, len(got), len(body), err)
	}
	if status, _, err := client.Fetch(t.Context(), id, server.URL+"/absent"); err != nil || status != http.StatusNotFound {
		t.Errorf("status %d, %v; want 404", status, err)
	}
	for name, url := range map[string]string{
		"too large":     server.URL + "/huge",
		"not listening": "http://127.0.0.1:1/",
		"a name":        strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/bulk",
		"no address":    "/bulk",
	} {
		if _, _, err := client.Fetch(t.Context(), id, url); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A connection outlives the dial's context, ends at the server when the client closes
// it, and at the client when the server does.
func TestDialNode(t *testing.T) {
	client, id, listener := dialNode(t)
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	conn, err := client.DialNode(ctx, id, listener.Addr().String())
	must(t, err)
	cancel()
	other := <-accepted
	must(t, other.SetDeadline(time.Now().Add(soon)))
	_, err = conn.Write([]byte("ping"))
	must(t, err)
	got := make([]byte, 4)
	if _, err := io.ReadFull(other, got); err != nil || string(got) != "ping" {
		t.Errorf("the server read %q, %v", got, err)
	}
	must(t, conn.Close())
	if _, err := other.Read(got); err == nil {
		t.Error("the server was not told that the client has closed")
	}

	conn, err = client.DialNode(t.Context(), id, listener.Addr().String())
	must(t, err)
	must(t, (<-accepted).Close())
	must(t, conn.SetReadDeadline(time.Now().Add(soon)))
	if _, err := conn.Read(got); err == nil || os.IsTimeout(err) {
		t.Errorf("the client was not told that the server has closed: %v", err)
	}
}
