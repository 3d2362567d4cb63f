package swarm_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

func TestStoppedPeerFinishesItsUploads(t *testing.T) {
	t.Parallel()
	for release, whole := range map[string]bool{"2.2.1": false, "2.3.0": true} {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			s := b.supernode(1, "2.3.0")
			p := b.peer(21, release, false, 1)
			b.counts(s, 1, timers.Fast.RejoinWithin())
			file := fixtures.Layer16M // more than socket buffers hold
			p.mustGet(file)

			body := p.openUpload(file)
			stopped := make(chan struct{})
			go func() { defer close(stopped); p.stop() }()
			b.counts(s, 0, timers.Fast.RPCTimeout)
			if whole {
				again, err := http.Get(p.uploadURL(file))
				if err != nil {
					t.Fatalf("the port is closed before the upload is done: %v", err)
				}
				if _ = again.Body.Close(); again.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("a peer that stops takes a new upload: %s", again.Status)
				}
			} else {
				<-stopped
			}
			n, err := io.Copy(io.Discard, body)
			if (err == nil && n+1 == file.Size) != whole {
				t.Errorf("%d bytes of the upload arrived: %v", n+1, err)
			}
			<-stopped
			if len(b.logs.find(`"connection failed"`, `"step":"announce"`)) > 0 {
				t.Error("a peer that left says that its announce stream failed")
			}
		})
	}
}

// A child that never takes its piece must not keep a peer from stopping.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.timers.DrainTimeout = 300 * time.Millisecond
	p := b.peer(21, "2.3.0", false, 1)
	p.mustGet(fixtures.Layer16M)
	p.openUpload(fixtures.Layer16M)
	began := time.Now()
	p.stop()
	if took := time.Since(began); took > b.timers.DrainTimeout+timers.Slack {
		t.Errorf("stopping took %s", took)
	}
	if len(b.logs.find(`"drain ends with uploads under way"`)) != 1 {
		t.Error("the log does not tell of the upload that was cut")
	}
}

func (p *peer) uploadURL(file fixtures.File) string {
	id := piece.TaskID(p.b.origin.url(file), file.SHA256)
	return fmt.Sprintf("http://%s:65002/tasks/%s/data", p.Host().GetIp(), id)
}

// openUpload asks for a whole file and reads its first byte only; buffers are small, so
// that the rest stays with the peer.
func (p *peer) openUpload(file fixtures.File) io.Reader {
	p.b.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10) //nolint:forcetypeassert // it is tcp
		}
		return conn, err
	}}}
	response, err := client.Get(p.uploadURL(file))
	if err != nil {
		p.b.t.Fatal(err)
	}
	p.b.t.Cleanup(func() { _ = response.Body.Close(); client.CloseIdleConnections() })
	if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
		p.b.t.Fatal(err)
	}
	return response.Body
}
