package swarm_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// relay passes on what comes to one address to another, and what comes back as
// thinly as pass does it.
func relay(t *testing.T, from, to string, pass func(to io.Writer, from io.Reader)) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			end := func() { _, _ = in.Close(), out.Close() }
			all.Go(func() {
				defer end()
				_, _ = io.Copy(out, in)
			})
			all.Go(func() {
				defer end()
				pass(in, out)
			})
		}
	})
}

// trickle lets 1 KiB through in a second, in portions of a tenth of that.
func trickle(to io.Writer, from io.Reader) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.CopyN(to, from, 102); err != nil {
			return
		}
	}
}

// silence reads and lets nothing through.
func silence(_ io.Writer, from io.Reader) { _, _ = io.Copy(io.Discard, from) }

// garble changes a byte in each KiB of content; headers stay what they are.
func garble(to io.Writer, from io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		head := strings.HasPrefix(string(buffer[:n]), "HTTP/")
		for i := 1 << 10; i < n && !head || head && i < n; i += 1 << 10 {
			buffer[i] ^= 0xff
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// withSickSeed is a bed on which a seed's pieces pass through a relay, another peer
// has the file, which it gives once the seed is asked for some of it, and a third has nothing.
func withSickSeed(t *testing.T, file fixtures.File, pass func(io.Writer, io.Reader)) (b *bed, q *peer) {
	t.Helper()
	b = newBed(t)
	s := b.supernode(1, stable, 11)
	cfg := b.peerConfig(11, stable, true, 1)
	cfg.Pieces = b.addr(12) + ":65002"
	var mu sync.Mutex
	sick, asked := false, make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	relay(t, b.addr(11)+":65002", cfg.Pieces, func(to io.Writer, from io.Reader) {
		mu.Lock()
		now := sick
		mu.Unlock()
		if !now {
			_, _ = io.Copy(to, from)
			return
		}
		ask()
		pass(to, from)
	})
	sound := b.peerConfig(21, stable, false, 1)
	sound.Pieces = b.addr(13) + ":65002"
	relay(t, b.addr(21)+":65002", sound.Pieces, func(to io.Writer, from io.Reader) {
		select {
		case <-asked:
		case <-t.Context().Done(): // then the test says what was missing
		}
		_, _ = io.Copy(to, from)
	})
	seed, p := b.start(cfg), b.start(sound)
	q = b.peer(22, stable, false, 1)
	b.counts(s, 3, timers.Fast.RejoinWithin())
	p.mustGet(file)
	b.announced(s, p, file, 16)
	b.announced(s, seed, file, 16)
	mu.Lock()
	sick = true
	mu.Unlock()
	return b, q
}

// Seen red without the second pass of the choice: the pieces of the sick seed are
// waited for until they time out, after 1.5 or 30 seconds, and count as failed.
func TestSlowParentKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for name, pass := range map[string]func(io.Writer, io.Reader){"trickles": trickle, "silent": silence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, q := withSickSeed(t, fixtures.Layer4M, pass)
			r := q.mustGet(fixtures.Layer4M)
			if r.From.Peers != fixtures.Layer4M.Size || time.Duration(r.TookMS)*time.Millisecond >= timers.Fast.PieceTimeout/4 {
				t.Errorf("it waited for the sick seed: %+v", r)
			}
			if len(b.logs.find(`"parent is slow"`, `"node":"peer-22"`, b.addr(11)+":65002", `"taken_from":"peer-21"`)) == 0 {
				t.Error("the log does not name the slow parent")
			}
			// Who gives nothing at all may be found to have stalled, on a busy machine.
			if lines := b.logs.find(`"connection failed"`, `"node":"peer-22"`, `"step":"piece"`); len(lines) > 0 && name == "trickles" {
				t.Errorf("what was cancelled counts as failed: %s", lines)
			}
			eventually(t, timers.Fast.NoticeWithin(), "the log tells what was wasted", func() (string, bool) { // after the client knows that it is done
				lines := b.logs.find(`"task done"`, `"node":"peer-22"`, `"wasted":`)
				return fmt.Sprint(lines), len(lines) == 1
			})
		})
	}
}

// Seen red by not banning it.
func TestCorruptParentIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	b, q := withSickSeed(t, fixtures.Layer4M, garble)
	if r := q.mustGet(fixtures.Layer4M); r.From.Peers != fixtures.Layer4M.Size {
		t.Errorf("not from the sound parent: %+v", r)
	}
	target := b.addr(11) + ":65002"
	// Three pieces may be on their way from it when the first is found out.
	if lines := b.logs.find(`"connection failed"`, `"node":"peer-22"`, `"cause":"corrupt"`, target); len(lines) == 0 || len(lines) > 3 {
		t.Errorf("the corrupt parent was asked %d times", len(lines))
	}
	if len(b.logs.find(`"parent is banned"`, `"node":"peer-22"`, `"cause":"corrupt"`, target)) != 1 {
		t.Error("the log does not name the corrupt parent, once")
	}
	eventually(t, timers.Fast.NoticeWithin(), "the supernode is told", func() (string, bool) {
		lines := b.logs.find(`"upload failed"`, `"parent":"peer-11"`, `"cause":"corrupt"`)
		return "", len(lines) > 0
	})
}
