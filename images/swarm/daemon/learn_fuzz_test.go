package daemon

import (
	"crypto/sha256"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

func encoded(f *testing.F, m proto.Message) []byte {
	f.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

// A task believes what supernode and parents say of its file only as far as that can
// be, and what it has learned once stays.
func FuzzTaskLearn(f *testing.F) {
	digest := make([]byte, sha256.Size)
	honest := &pb.Task{Length: 1 << 20, PieceSize: 256 << 10, Digests: [][]byte{digest, nil, digest, digest}}
	for _, hostile := range []*pb.Task{
		nil,
		{},
		honest,
		{Length: -1, PieceSize: 1},
		{Length: 1, PieceSize: -1},
		{Length: 0, PieceSize: 1},
		{Length: 1<<63 - 1, PieceSize: 1},
		{Length: 1 << 40, PieceSize: 1},
		{Length: 1<<63 - 1, PieceSize: 1<<63 - 1},
		{Length: 1 << 40, PieceSize: 1 << 40},
		{Length: 1, PieceSize: 1 << 62},
		{Length: 1, PieceSize: 1, Digests: [][]byte{digest, digest, digest}},
		{Length: 2, PieceSize: 1, Digests: [][]byte{{1}, make([]byte, 99)}},
	} {
		f.Add(encoded(f, hostile), encoded(f, honest))
		f.Add(encoded(f, honest), encoded(f, hostile))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, first, second []byte) {
		task := newTask(dir, "http://origin/file", "")
		defer func() { task.shut(); _ = os.Remove(task.path) }()
		var known piece.Layout
		for _, raw := range [][]byte{first, second} {
			meta := &pb.Task{}
			if proto.Unmarshal(raw, meta) != nil {
				continue
			}
			err := task.learn(meta)
			v := task.view()
			layout := piece.Layout{Length: v.meta.GetLength(), Size: v.meta.GetPieceSize()}
			stated := piece.Layout{Length: meta.GetLength(), Size: meta.GetPieceSize()}
			switch {
			case known != (piece.Layout{}) && layout != known:
				t.Fatalf("%+v became %+v", known, layout)
			case v.known && (!layout.Sane() || len(v.meta.GetDigests()) != layout.Count() || len(v.held) != len(piece.NewBitmap(layout.Count()))):
				t.Fatalf("%+v with %d digests, held %d", layout, len(v.meta.GetDigests()), len(v.held))
			case v.known && err == nil && stated.Size > 0 && stated != layout:
				t.Fatalf("%+v is taken for %+v", stated, layout)
			}
			if v.known {
				known = layout
				biggest, _ := layout.Span(0)
				_ = make([]byte, biggest) // what a transfer would make room for
			}
			for _, d := range v.meta.GetDigests() {
				if len(d) != 0 && len(d) != sha256.Size {
					t.Fatalf("a digest of %d bytes", len(d))
				}
			}
		}
	})
}
