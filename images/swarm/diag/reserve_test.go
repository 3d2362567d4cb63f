package diag

import (
	"context"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type plain struct{ net.ListenConfig }

func (p plain) Listen(network, address string) (net.Listener, error) {
	return p.ListenConfig.Listen(context.Background(), network, address)
}

// A listener without a reserve is faster than the caller for whom another
// listener gave its own up: it lets go of what it took, and that reserve is whole again.
// Seen red without Yield in Accept: the caller is served, and the reserve stays lost.
func TestWhoTakesAReserveGivesItBack(t *testing.T) {
	reporter := NewReporter(slog.New(slog.DiscardHandler), false, prometheus.NewRegistry())
	l, err := Listen(plain{}, "tcp", "127.0.0.1:0", false, reporter)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			served <- c
		}
	}()
	defer func() { _ = l.Close() }()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0) // raw, so that connecting needs no descriptor later
	if err != nil {
		t.Fatal(err)
	}
	caller := os.NewFile(uintptr(fd), "caller")
	defer func() { _ = caller.Close() }()
	r := newReserve()
	defer r.drop()

	restore := exhaust(t)
	defer restore()
	if !r.spend() {
		t.Fatal("there was no reserve to spend")
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on tcp
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	beat, deadline := time.NewTicker(time.Millisecond), time.After(5*time.Second)
	defer beat.Stop()
	for still := true; still; _, still = owed.Load(r) {
		select {
		case <-beat.C:
		case <-deadline:
			t.Fatal("the reserve is still owed")
		}
	}
	if len(served) > 0 {
		t.Error("a caller was served from the reserve of another listener")
	}
	if !r.spend() {
		t.Error("the reserve is not whole again")
	}
}
