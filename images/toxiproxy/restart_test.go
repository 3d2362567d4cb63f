package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/toxic"
)

// servesAt makes the test's program a toxiproxy: a restart needs a process of its own.
const servesAt = "TOXIPROXY_TEST_SERVES_AT"

func TestMain(m *testing.M) {
	if addr := os.Getenv(servesAt); addr != "" {
		control(addr)
		return
	}
	os.Exit(m.Run())
}

// TestRestart lets a toxiproxy start anew that has a stalled link with an open connection:
// nothing of it is left, and the same link can be laid again.
func TestRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	addr := freeAddr(t)
	process := exec.CommandContext(ctx, os.Args[0])
	process.Env = append(os.Environ(), servesAt+"="+addr)
	must(t, process.Start())
	defer func() {
		must(t, process.Process.Kill())
		_ = process.Wait() // killed
	}()
	proxy := toxic.Connect("http://" + addr)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for proxy.Answers(ctx) != nil {
		select {
		case <-ctx.Done():
			t.Fatal("toxiproxy does not answer")
		case <-again.C:
		}
	}

	link := toxic.Link{Name: "a>b:1", Listen: freeAddr(t), Upstream: echoServer(t)}
	must(t, proxy.AddLinks(ctx, []toxic.Link{link}))
	must(t, proxy.Add(ctx, link.Name, "stalled", toxic.Stall{}))
	conn := dial(t, link.Listen)
	_, err := conn.Write([]byte("hello"))
	must(t, err)

	must(t, proxy.Restart(ctx))
	must(t, conn.SetReadDeadline(time.Now().Add(soon)))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an open connection of before gave %d bytes, %v: it lives on", n, err)
	}
	if counts, err := proxy.Ledger(ctx); err != nil || len(counts) > 0 {
		t.Errorf("counts after the restart: %v, %v", counts, err)
	}
	if err := proxy.Add(ctx, link.Name, "stalled", toxic.Stall{}); err == nil {
		t.Error("a link of before takes a toxic")
	}

	must(t, proxy.AddLinks(ctx, []toxic.Link{link}))
	conn = dial(t, link.Listen)
	_, err = conn.Write([]byte("hello"))
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(soon)))
	if _, err := io.ReadFull(conn, make([]byte, len("hello"))); err != nil {
		t.Errorf("echo through a link that was stalled before: %v", err)
	}
	if counts, err := proxy.Ledger(ctx); err != nil || counts[link.Name] != (toxic.Count{Up: 5, Down: 5, Conns: 1}) {
		t.Errorf("its count is %+v, %v", counts[link.Name], err)
	}
}

// TestRestartThatDoesNotHappen asks a server that knows of no restart.
func TestRestartThatDoesNotHappen(t *testing.T) {
	api := handler()
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/restart" {
			http.NotFound(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}))
	defer control.Close()
	proxy := toxic.Connect(control.URL)
	must(t, proxy.AddLinks(t.Context(), []toxic.Link{{Name: "stays", Listen: freeAddr(t), Upstream: echoServer(t)}}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := proxy.Restart(ctx); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("Restart of a toxiproxy that goes on = %v", err)
	}
}
