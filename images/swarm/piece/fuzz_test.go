package piece_test

import (
	"encoding/hex"
	"maps"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

const someDigest = "fd90d74f03792321183f997e3cc384984c5bb3b4896545c5f7ccdd69ca4a27d3"

func FuzzParseDigest(f *testing.F) {
	for _, s := range []string{"", "sha256:", someDigest, "sha256:" + someDigest, strings.ToUpper(someDigest), "sha256:sha256:" + someDigest, someDigest[1:], "é" + someDigest[2:], "İ" + someDigest[3:]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		digest, ok := piece.ParseDigest(s)
		if !ok {
			return
		}
		if raw, err := hex.DecodeString(digest); err != nil || len(raw) != 0 && len(raw) != 32 {
			t.Errorf("%q is taken as %q", s, digest)
		}
		if again, ok := piece.ParseDigest("sha256:" + digest); !ok || again != digest {
			t.Errorf("%q is %q the second time", digest, again)
		}
	})
}

// All parties compute the same name, and each digest that can be promised has its own.
func FuzzTaskID(f *testing.F) {
	f.Add("http://origin/a", "")
	f.Add("http://origin/a\n"+someDigest, "")
	f.Add("http://origin/a", someDigest)
	f.Fuzz(func(t *testing.T, url, digest string) {
		id := piece.TaskID(url, digest)
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 || id != piece.TaskID(url, digest) {
			t.Errorf("%q", id)
		}
		if other := piece.TaskID(url, digest+"0"); other == id {
			t.Errorf("%q with two digests is one task", url)
		}
		if digest == "" && piece.TaskID(url, someDigest) == id || piece.TaskID(url+"/", digest) == id {
			t.Errorf("two files are task %s", id)
		}
	})
}

// A sane layout tiles its file, and needs no more memory than a list of pieces may.
func FuzzLayout(f *testing.F) {
	for _, l := range []piece.Layout{{}, {1, 1}, {1 << 20, 256 << 10}, {1<<20 + 1, 256 << 10}, {-1, 1}, {1, -1}, {1 << 62, 1}, {1 << 62, 1 << 62}, {1<<63 - 1, 1<<63 - 1}, {1 << 50, 1 << 50}, {5, 1 << 40}} {
		f.Add(l.Length, l.Size)
	}
	f.Fuzz(func(t *testing.T, length, size int64) {
		l := piece.Layout{Length: length, Size: size}
		if !l.Sane() {
			return
		}
		n := l.Count()
		if n < 0 || n > 1<<20 || size > 64<<20 {
			t.Fatalf("%+v has %d pieces", l, n)
		}
		if n == 0 {
			if length != 0 {
				t.Fatalf("%+v has no pieces", l)
			}
			return
		}
		for _, i := range []int{0, n / 2, n - 1} {
			offset, span := l.Span(i)
			if offset != int64(i)*size || span <= 0 || span > size || (i == n-1) != (offset+span == length) {
				t.Fatalf("%+v: piece %d is %d from %d", l, i, span, offset)
			}
		}
	})
}

// A bitmap is a set of small numbers, whatever others send in its place.
func FuzzBitmap(f *testing.F) {
	f.Add([]byte{}, uint16(0), []byte{})
	f.Add([]byte{0xff, 0xff}, uint16(9), []byte{1, 2, 200})
	f.Add([]byte{0x80}, uint16(64), []byte{63, 0})
	f.Fuzz(func(t *testing.T, sent []byte, n uint16, set []byte) {
		b, model := piece.NewBitmap(int(n)), map[int]bool{}
		for _, i := range set {
			if int(i) < int(n) {
				b.Set(int(i))
				model[int(i)] = true
			}
		}
		check(t, b, model, int(n))
		received := piece.Bitmap(sent)
		model = map[int]bool{}
		for i := range int(n) {
			if received.Has(i) {
				model[i] = true
			}
		}
		check(t, received.Fit(int(n)), model, int(n))
	})
}

func check(t *testing.T, b piece.Bitmap, model map[int]bool, n int) {
	t.Helper()
	got := map[int]bool{}
	for i := -9; i < n+99; i++ {
		if b.Has(i) {
			got[i] = true
		}
	}
	if !maps.Equal(got, model) || b.Count() != len(model) {
		t.Errorf("%v of %d is %v with a count of %d, want %v", []byte(b), n, got, b.Count(), model)
	}
}
