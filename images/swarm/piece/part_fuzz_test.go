package piece_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

// A part lies within its file, and its pieces among those of the file.
func FuzzPart(f *testing.F) {
	for _, part := range []piece.Part{{}, {0, 1}, {5, 0}, {-1, 0}, {-1 << 63, 1<<63 - 1}, {1<<63 - 1, 1<<63 - 1}, {1, -1}} {
		for _, total := range []int64{0, 1, 5, 1 << 50} {
			f.Add(part.Offset, part.Length, total, int64(4))
		}
	}
	f.Fuzz(func(t *testing.T, from, n, total, size int64) {
		layout := piece.Layout{Length: total, Size: size}
		if !layout.Sane() {
			return
		}
		part := piece.Part{Offset: from, Length: n}
		offset, length, ok := part.Resolve(total)
		if !ok {
			if offset != 0 || length != 0 {
				t.Errorf("%+v of %d is none, but %d from %d", part, total, length, offset)
			}
			return
		}
		if offset < 0 || length < 0 || offset+length > total || length == 0 && total > 0 || n > 0 && length > n {
			t.Errorf("%+v of %d is %d from %d", part, total, length, offset)
		}
		first, end := layout.Covering(offset, length)
		if first < 0 || end < first || end > layout.Count() || (end == first) != (length == 0) {
			t.Fatalf("%+v of %+v: pieces %d to %d of %d", part, layout, first, end, layout.Count())
		}
		if end > first {
			begin, _ := layout.Span(first)
			last, span := layout.Span(end - 1)
			if begin > offset || begin+size <= offset || last+span < offset+length || last >= offset+length {
				t.Errorf("%d from %d of %+v is pieces %d to %d", length, offset, layout, first, end)
			}
		}
	})
}

func FuzzParsePart(f *testing.F) {
	for _, spec := range []string{"0-99", "100-", "-50", "-0", "-", "", "5-4", "+1-2", "0-99,200-", "0x1-2", "4611686018427387903-4611686018427387903", "99999999999999999999-"} {
		f.Add(spec, int64(100))
	}
	f.Fuzz(func(t *testing.T, spec string, total int64) {
		part, ok := piece.ParsePart(spec)
		if !ok || total < 0 || total >= 1<<50 {
			return
		}
		if part == (piece.Part{}) && spec[0] != '0' {
			t.Errorf("%q is the whole file", spec)
		}
		if offset, length, ok := part.Resolve(total); ok && (offset < 0 || length < 0 || offset+length > total) {
			t.Errorf("%q of %d is %d from %d", spec, total, length, offset)
		}
	})
}

// What a store believes of its own past after a crash, or of a disk gone bad.
func FuzzRecord(f *testing.F) {
	digest := make([]byte, 32)
	id := piece.TaskID("http://origin/a", "")
	for _, r := range []piece.Record{
		{},
		{Version: 1, ID: id, URL: "http://origin/a", Length: 3, Size: 2, Digests: [][]byte{digest, digest}, Held: []byte{3}},
		{Version: 1, ID: id, URL: "http://origin/a", Length: 3, Size: 2, Digests: [][]byte{digest, nil}, Held: []byte{0xfd}},
		{Version: 1, ID: id, URL: "http://origin/a", Length: 1 << 62, Size: 1},
		{Version: 1, ID: id, URL: "http://origin/a", Length: -1, Size: -1},
	} {
		raw, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
	}
	path := filepath.Join(f.TempDir(), "record")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := piece.LoadRecord(path)
		if err != nil {
			return
		}
		n := r.Layout().Count()
		if !r.Layout().Sane() || len(r.Digests) != n || r.Held.Count() > n {
			t.Fatalf("%d of %d pieces, %d digests: %s", r.Held.Count(), n, len(r.Digests), raw)
		}
		for i := range n {
			if r.Held.Has(i) && len(r.Digests[i]) != 32 {
				t.Fatalf("piece %d is held without a digest: %s", i, raw)
			}
		}
		if err := r.Save(path); err != nil {
			t.Fatal(err)
		}
		if again, err := piece.LoadRecord(path); err != nil || again.ID != r.ID || again.Held.Count() != r.Held.Count() {
			t.Fatalf("%+v, then %+v, %v", r, again, err)
		}
	})
}
