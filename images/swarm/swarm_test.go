package swarm_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

const stable = "2.2.1"

func TestMain(m *testing.M) {
	if cfg, ok := os.LookupEnv(victimEnv); ok {
		victim(cfg)
	}
	goleak.VerifyTestMain(m)
}

func TestPeersJoinInAnyOrderAndKnowEachOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	peers := []*peer{b.peer(11, stable, true, 1), b.peer(21, stable, false, 1), b.peer(22, stable, false, 1)}
	eventually(t, 5*time.Second, "a failed register in the log", func() (string, bool) {
		lines := b.logs.find(`"connection failed"`, `"step":"register"`, `"cause":"refused"`)
		return fmt.Sprint(lines), len(lines) > 0
	})
	s := b.supernode(1, stable, 11)
	b.counts(s, 3, timers.Fast.RejoinWithin())
	for _, p := range peers {
		eventually(t, timers.Fast.NoticeWithin(), "each peer knows the two others", func() (string, bool) {
			st := p.Snapshot()
			return fmt.Sprintf("%+v", st), st.Registered && st.PeerCount == 2
		})
	}
	peers[2].stop()
	b.counts(s, 2, timers.Fast.RPCTimeout)
}

func TestOriginIsAskedOnceForAFileThatAllWantAtOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11)
	b.peer(11, stable, true, 1)
	peers := []*peer{b.peer(21, stable, false, 1), b.peer(22, stable, false, 1), b.peer(23, stable, false, 1), b.peer(24, stable, false, 1)}
	b.counts(s, 5, timers.Fast.RejoinWithin())
	var all sync.WaitGroup
	results := make([]dfget.Result, len(peers))
	for i, p := range peers {
		all.Go(func() { results[i] = p.get(fixtures.Layer4M, true) })
	}
	all.Wait()
	for _, r := range results {
		if !r.OK || r.From.Origin != 0 || r.From.Seeds+r.From.Peers != fixtures.Layer4M.Size || r.Mode != "daemon" {
			t.Errorf("result %+v", r)
		}
	}
	if got := b.origin.bytes.Load(); got != fixtures.Layer4M.Size {
		t.Errorf("the origin served %d bytes of a file of %d", got, fixtures.Layer4M.Size)
	}
	again := peers[0].mustGet(fixtures.Layer4M)
	if again.From != (dfget.From{}) {
		t.Errorf("a held file was moved again: %+v", again)
	}
}

func TestNextSeedServesWhenThePrimaryIsAway(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11, 12)
	b.peer(12, stable, true, 1)
	p := b.peer(21, stable, false, 1)
	b.counts(s, 2, timers.Fast.RejoinWithin())
	r := p.mustGet(fixtures.Layer1M)
	if r.From.Seeds != fixtures.Layer1M.Size {
		t.Errorf("not from the second seed: %+v", r)
	}
	if len(b.logs.find(`"connection failed"`, `"step":"seed"`, `"cause":"refused"`, b.addr(11)+":65000")) == 0 {
		t.Error("the log does not name the seed that is away")
	}
}

func TestSeedLostInMidDownload(t *testing.T) {
	t.Parallel()
	for _, release := range []string{stable, "2.1.0"} {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			s := b.supernode(1, stable, 11, 12)
			first := b.peer(11, stable, true, 1)
			b.peer(12, stable, true, 1)
			p := b.peer(21, release, false, 1)
			b.counts(s, 3, timers.Fast.RejoinWithin())
			b.origin.slow(1 << 20)
			done := make(chan dfget.Result, 1)
			go func() { done <- p.get(fixtures.Layer16M, true) }()
			eventually(t, 10*time.Second, "the download is under way", func() (string, bool) {
				st := p.Snapshot()
				for _, task := range st.Tasks {
					return fmt.Sprint(task), task.Held > 0
				}
				return "no task", false
			})
			first.stop()
			b.origin.release()
			r := <-done
			if release == stable && (!r.OK || r.From.Origin != 0) {
				t.Errorf("the download did not go on with the other seed: %+v", r)
			}
			if release == "2.1.0" && (r.OK || !strings.Contains(r.Error, "lost in the middle of the download")) {
				t.Errorf("2.1.0 does not fall back, but: %+v", r)
			}
		})
	}
}

func TestAllSeedsAwayCostsTheOriginLittle(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11, 12)
	p, q := b.peer(21, stable, false, 1), b.peer(22, stable, false, 1)
	b.counts(s, 2, timers.Fast.RejoinWithin())
	var both sync.WaitGroup
	both.Go(func() { p.mustGet(fixtures.Layer16M) })
	both.Go(func() { q.mustGet(fixtures.Layer16M) })
	both.Wait()
	if got := b.origin.requests.Load(); got > 2*(4+2) {
		t.Errorf("%d requests at the origin", got)
	}
	if got := b.origin.bytes.Load(); got > 5*fixtures.Layer16M.Size/4 {
		t.Errorf("%d bytes at the origin: the second peer did not follow the first", got)
	}
}

// Seen red by not comparing a piece with its digest: the whole file is then refused.
func TestCorruptPieceIsRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11)
	seed := b.peer(11, stable, true, 1)
	p, q := b.peer(21, stable, false, 1), b.peer(22, stable, false, 1)
	b.counts(s, 3, timers.Fast.RejoinWithin())
	p.mustGet(fixtures.Layer1M)
	p.stop() // nobody but the seed is left
	stored := filepath.Join(seed.dir, "tasks", piece.TaskID(b.origin.url(fixtures.Layer1M), fixtures.Layer1M.SHA256)+".data")
	if err := os.WriteFile(stored, make([]byte, fixtures.Layer1M.Size), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := q.mustGet(fixtures.Layer1M); r.From.Origin != fixtures.Layer1M.Size || r.Mode != "daemon" {
		t.Errorf("corrupt pieces were taken: %+v", r)
	}
	if len(b.logs.find(`"connection failed"`, `"step":"piece"`, `"cause":"corrupt"`, b.addr(11)+":65002")) == 0 {
		t.Error("the log does not name the parent with corrupt pieces")
	}
}

func TestRestartedSupernodeIsJoinedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable)
	for at := 21; at < 25; at++ {
		b.peer(at, stable, false, 1)
	}
	old := b.peer(31, "2.1.0", false, 1)
	b.counts(s, 5, timers.Fast.RejoinWithin())
	old.heldBy(1)
	s.stop()
	eventually(t, timers.Fast.NoticeWithin(), "2.1.0 is out", func() (string, bool) {
		st := old.Snapshot()
		return fmt.Sprintf("%+v", st), !st.Registered && st.PeerCount == 0
	})
	s = b.supernode(1, stable)
	b.counts(s, 4, timers.Fast.RejoinWithin())
	if old.Snapshot().Registered {
		t.Error("2.1.0 does not retry, but is back")
	}
}

func TestProductionTimersDeliverAsWell(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.timers = timers.Production
	s := b.supernode(1, stable, 11, 12)
	seed := b.peer(11, stable, true, 1)
	p := b.peer(21, stable, false, 1)
	b.counts(s, 2, timers.Production.RegisterTimeout)
	if r := p.mustGet(fixtures.Layer4M); r.From.Seeds != fixtures.Layer4M.Size {
		t.Errorf("not from the seed: %+v", r)
	}
	seed.stop()
	b.counts(s, 1, timers.Production.RPCTimeout)
	if r := p.mustGet(fixtures.Layer1M); r.From.Origin != fixtures.Layer1M.Size || r.Mode != "daemon" {
		t.Errorf("without seeds: %+v", r)
	}
}

// A node that takes calls and never answers (a stopped process, a black hole
// behind a proxy) must be told from a live one: connecting proves nothing.
func TestSilentSeedIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Listener) error{
		"accepts only": func(net.Listener) error { return nil },
		"speaks but does not answer": grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			<-stream.Context().Done()
			return stream.Context().Err()
		})).Serve,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			tarpit, err := net.Listen("tcp", b.addr(11)+":65000")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = tarpit.Close() })
			go func() { _ = serve(tarpit) }()
			s := b.supernode(1, stable, 11, 12)
			b.peer(12, stable, true, 1)
			p := b.peer(21, stable, false, 1)
			b.counts(s, 2, timers.Fast.RejoinWithin())
			started := time.Now()
			if r := p.mustGet(fixtures.Layer1M); r.From.Seeds != fixtures.Layer1M.Size {
				t.Errorf("not from the second seed: %+v", r)
			}
			if took := time.Since(started); took > timers.Fast.FallbackWithin() {
				t.Errorf("it took %s", took)
			}
			if len(b.logs.find(`"connection failed"`, `"step":"seed"`, `"cause":"timed out"`, b.addr(11)+":65000")) != 1 {
				t.Error("the log does not tell once of the silent seed")
			}
		})
	}
}

// 2.1.0 has no line for a failed connection, and its supernode no second seed.
func TestOldReleaseFallsBackNowhere(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, "2.1.0", 11, 12)
	b.peer(12, stable, true, 1)
	p := b.peer(21, "2.1.0", false, 1)
	b.counts(s, 2, timers.Fast.RejoinWithin())
	if r := p.mustGet(fixtures.Layer1M); r.From.Origin != fixtures.Layer1M.Size {
		t.Errorf("a supernode 2.1.0 knows no second seed, but: %+v", r)
	}
	if lines := b.logs.find(`"connection failed"`, `"node":"supernode-1"`); len(lines) > 0 {
		t.Errorf("2.1.0 has no diagnostic log, but: %s", lines)
	}
}

func TestVersionsMeet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		supernode, peer string
		taken           bool
	}{
		{"2.2.1", "2.1.0", true},
		{"2.1.0", "2.2.1", true},
		{"2.3.0", "2.2.1", true},
		{"2.2.1", "2.0.0", false},
		{"2.1.0", "2.3.0", false},
		{"3.0.0", "3.0.0", true},
		{"2.2.1", "3.0.0", false},
		{"3.0.0", "2.2.1", false},
	} {
		t.Run(c.supernode+" with "+c.peer, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			s := b.supernode(1, c.supernode)
			logs := b.peer(21, c.peer, false, 1).can.DiagnosticLog
			if c.taken {
				b.counts(s, 1, timers.Fast.RejoinWithin())
				return
			}
			want := fmt.Sprintf("version mismatch: supernode %s speaks protocol %s, peer %s speaks protocol %s",
				c.supernode, c.supernode[:3], c.peer, c.peer[:3])
			eventually(t, timers.Fast.RejoinWithin(), "refused", func() (string, bool) {
				got := s.Snapshot()
				lines := b.logs.find(`"connection failed"`, `"step":"register"`, `"cause":"version mismatch"`, want)
				return fmt.Sprintf("%+v %v", got, lines), got.Count == 0 && len(got.Refused) == 1 && got.Refused[0].Reason == want && (len(lines) > 0) == logs
			})
		})
	}
}

func TestDownloadWithoutAnySupernode(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.peer(21, stable, false, 1)
	if r := p.mustGet(fixtures.Layer4M); r.From.Origin != fixtures.Layer4M.Size || r.Mode != "daemon" {
		t.Errorf("not from the origin by the daemon: %+v", r)
	}
	p.stop()
	if r := p.mustGet(fixtures.Layer1M); r.Mode != "source" || r.From.Origin != fixtures.Layer1M.Size {
		t.Errorf("dfget did not help itself: %+v", r)
	}
	if r := p.get(fixtures.Manifest, false); r.OK || r.Error == "" {
		t.Errorf("without daemon and origin: %+v", r)
	}
	left, err := filepath.Glob(filepath.Join(p.dir, "out", fixtures.Manifest.Name+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("a failed download left %v (%v)", left, err)
	}
}
