package diag_test

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// Descriptors run out under a listener: a caller is served from the reserve, the
// next one waits and is served once there are descriptors again; each is told of.
// Seen red without the reserve: the first never comes.
func TestListenerOutlivesALackOfDescriptors(t *testing.T) {
	log := &buffer{}
	reporter := diag.NewReporter(slog.New(slog.NewJSONHandler(log, nil)), false, prometheus.NewRegistry())
	l, err := diag.Listen(&wire.System{}, "tcp", "127.0.0.1:0", true, reporter)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	callers := make([]*os.File, 2)
	for i := range callers { // raw sockets, so that connecting needs no descriptor later
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		callers[i] = os.NewFile(uintptr(fd), "caller")
		defer func() { _ = callers[i].Close() }()
	}
	restore := diag.Exhaust(t)
	if open, limit, err := diag.OpenDescriptors(); err != nil || open != limit {
		t.Errorf("%d of %d descriptors are open (%v)", open, limit, err)
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on tcp
	for _, c := range callers {
		if err := syscall.Connect(int(c.Fd()), &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			restore()
			t.Fatal(err)
		}
	}
	var first net.Conn
	select {
	case first = <-accepted:
	case <-time.After(5 * time.Second):
	}
	restore()
	if first == nil {
		t.Fatal("nobody was served from the reserve")
	}
	select {
	case c := <-accepted:
		_ = c.Close()
	case <-time.After(5 * time.Second):
		t.Fatal("nobody was served after descriptors were free again")
	}
	_ = first.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-accepted; open {
		t.Error("a third caller was served")
	}
	last := reporter.Last()
	if last == nil || last.Step != diag.Accept || last.Cause != cause.TooManyFiles || last.Target != l.Addr().String() {
		t.Errorf("last failure %+v", last)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if !strings.Contains(log.b.String(), `"cause":"too many open files"`) {
		t.Errorf("log: %s", log.b.String())
	}
}
