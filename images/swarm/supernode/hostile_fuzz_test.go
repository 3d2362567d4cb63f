package supernode

import (
	"crypto/sha256"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/parent"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// hostile is a supernode with two registered peers, of which nothing is served.
func hostile(t *testing.T) (s *Supernode, a, b *record) {
	t.Helper()
	s, err := New(Config{
		Hostname: "supernode", Listen: ":8002", Metrics: ":8003", Profile: timers.Fast, Release: "2.2.1",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Stack: memnet.New().Host("supernode", "10.0.0.1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(); _, _ = s.grpcLis.Close(), s.httpLis.Close() })
	record := func(name string, seed bool) *record {
		r := newRecord(&pb.Host{Name: name, Ip: "10.0.0.2", Seed: seed, Protocol: "2.2", GrpcPort: 65000}, name, true)
		s.peers[name] = r
		return r
	}
	return s, record("a", true), record("b", false)
}

// Two peers announce anything; the supernode stays of sound mind, and answers.
func FuzzAnnouncement(f *testing.F) {
	url, digest := "http://origin/file", make([]byte, sha256.Size)
	id := piece.TaskID(url, "")
	task := func(length, size int64, digests ...[]byte) *pb.Task {
		return &pb.Task{Id: id, Url: url, Length: length, PieceSize: size, Digests: digests}
	}
	wants := &pb.Announcement{Name: "b", Wants: []*pb.Want{{Task: id, Url: url}}}
	for _, up := range []*pb.Announcement{
		{},
		wants,
		{FreeSlots: -1, Wants: []*pb.Want{{}, {Task: "made up"}, {Task: id, Url: "http://other"}}, Settled: []string{"", id}},
		{Held: []*pb.Held{{}, {Pieces: []byte{0xff}}, {Task: &pb.Task{Id: "made up"}, Pieces: []byte{1}}}},
		{Held: []*pb.Held{{Task: task(4, 1, digest, digest, digest, digest), Pieces: []byte{0x0f}}}},
		{Held: []*pb.Held{{Task: task(4, 1), Pieces: []byte{0xff, 0xff, 0xff}}}},
		{Held: []*pb.Held{{Task: task(4, 1), Pieces: []byte{0xf0}}}},
		{Held: []*pb.Held{{Task: task(1<<63-1, 1), Pieces: []byte{1}}}},
		{Held: []*pb.Held{{Task: task(1<<45, 1), Pieces: []byte{1}}}},
		{Held: []*pb.Held{{Task: task(1<<63-1, 1<<63-1), Pieces: []byte{1}}}},
		{Held: []*pb.Held{{Task: task(-9, 4), Pieces: []byte{1}}}},
		{Held: []*pb.Held{{Task: task(9, -4), Pieces: []byte{1}}}},
		{Held: []*pb.Held{{Task: task(4, 1, []byte{1}, make([]byte, 99)), Pieces: []byte{1}}}},
		{Transfers: []*pb.Transfer{{}, {Parent: "a", Cause: "made up"}, {Parent: "b"}, {Parent: "nobody", Ok: true}}},
		{RoundTrips: []*pb.RoundTrip{{}, {Peer: "a", Microseconds: -1}, {Peer: "a", Microseconds: 1<<63 - 1}, {Peer: "nobody", Microseconds: 5}}},
	} {
		raw, err := proto.Marshal(up)
		if err != nil {
			f.Fatal(err)
		}
		want, err := proto.Marshal(wants)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, want)
		f.Add(want, raw)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s, a, b := hostile(t)
		for i, raw := range [][]byte{first, second, first} {
			up := &pb.Announcement{}
			if proto.Unmarshal(raw, up) != nil {
				continue
			}
			from := a
			if i == 1 {
				from = b
			}
			s.apply(from, up)
			s.mu.Lock()
			sound(t, s)
			for _, r := range []*record{a, b} {
				for _, d := range s.directionsFor(r) {
					if n := len(d.GetParents()); n > parentsPerChild {
						t.Errorf("%d parents", n)
					}
				}
				if len(s.directionsFor(r)) > 0 {
					t.Error("the same direction is given twice")
				}
			}
			s.mu.Unlock()
		}
	})
}

// sound checks what must hold of a supernode's books at any time.
func sound(t *testing.T, s *Supernode) {
	t.Helper()
	for id, task := range s.tasks {
		layout := piece.Layout{Length: task.GetLength(), Size: task.GetPieceSize()}
		if piece.TaskID(task.GetUrl(), task.GetDigest()) != id || task.GetId() != id {
			t.Errorf("task %q is of %q", id, task.GetUrl())
		}
		if layout != (piece.Layout{}) && !layout.Sane() || len(task.GetDigests()) > layout.Count() {
			t.Errorf("task %+v with %d digests", layout, len(task.GetDigests()))
		}
		for _, d := range task.GetDigests() {
			if len(d) != 0 && len(d) != sha256.Size {
				t.Errorf("a digest of %d bytes", len(d))
			}
		}
	}
	for _, r := range s.peers {
		for id, held := range r.held {
			task := s.tasks[id]
			if task == nil {
				t.Errorf("pieces of %q, which is no task", id)
				continue
			}
			if n := held.Count(); n > task.pieces() || (n == task.pieces()) != task.heldWhole(r) && n > 0 {
				t.Errorf("%d of %d pieces held, whole %t", n, task.pieces(), task.heldWhole(r))
			}
		}
		for id := range r.wants {
			if s.tasks[id] == nil {
				t.Errorf("%q is wanted, but no task", id)
			}
		}
		if r.blamers() > len(s.peers) || len(r.failures) > maxFailures {
			t.Errorf("%d failures", len(r.failures))
		}
		for name, trip := range r.trips {
			if s.peers[name] == nil || trip <= 0 || trip > maxTrip {
				t.Errorf("%s to %q", trip, name)
			}
		}
		if c := r.candidate("", time.Now(), time.Hour); c.Failures > parent.MaxFailures*len(s.peers) {
			t.Errorf("%+v", c)
		}
	}
}
