package harness

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// A forwarder carries both ways; that the far end closes, cannot be dialled, or is not
// wanted any more, is seen at the near one.
func TestForward(t *testing.T) {
	far := make(chan net.Conn, 1)
	var refuses atomic.Bool
	f, err := forward(func(context.Context) (net.Conn, error) {
		if refuses.Load() {
			return nil, errors.New("nobody is there")
		}
		ours, theirs := net.Pipe()
		far <- theirs
		return ours, nil
	})
	must(t, err)
	dial := func() net.Conn {
		t.Helper()
		near, err := net.Dial("tcp4", f.Addr())
		must(t, err)
		t.Cleanup(func() { _ = near.Close() })
		must(t, near.SetDeadline(time.Now().Add(10*time.Second)))
		return near
	}
	ended := func(near net.Conn) bool {
		_, err := near.Read(make([]byte, 1))
		var late net.Error
		return err != nil && (!errors.As(err, &late) || !late.Timeout())
	}

	near := dial()
	_, err = io.WriteString(near, "ping")
	must(t, err)
	there := <-far
	got := make([]byte, 4)
	if _, err := io.ReadFull(there, got); err != nil || string(got) != "ping" {
		t.Errorf("the far end heard %q, %v", got, err)
	}
	_, err = io.WriteString(there, "pong")
	must(t, err)
	if _, err := io.ReadFull(near, got); err != nil || string(got) != "pong" {
		t.Errorf("the near end heard %q, %v", got, err)
	}
	must(t, there.Close())
	if !ended(near) {
		t.Error("the far end has closed, and the near one does not see it")
	}

	refuses.Store(true)
	if !ended(dial()) {
		t.Error("nobody is at the far end, and the near one does not see it")
	}

	refuses.Store(false)
	near = dial()
	<-far
	f.Close()
	if !ended(near) {
		t.Error("a closed forwarder keeps a connection")
	}
	if _, err := net.Dial("tcp4", f.Addr()); err == nil {
		t.Error("a closed forwarder listens")
	}
}
