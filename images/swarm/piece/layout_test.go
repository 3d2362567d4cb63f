package piece_test

import (
	"testing"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

// Seen red by taking a range whose end comes before its beginning.
func TestParsePart(t *testing.T) {
	for spec, want := range map[string]piece.Part{
		"0-0": {Length: 1}, "5-": {Offset: 5}, "-7": {Offset: -7}, "3-9": {Offset: 3, Length: 7}, "0-": {}, "-0": {Offset: 1 << 62},
	} {
		if got, ok := piece.ParsePart(spec); !ok || got != want {
			t.Errorf("%q is %+v, %v", spec, got, ok)
		}
	}
	for _, spec := range []string{"", "-", "7", "a-b", "9-3", "0-1,3-4", "+1-2", "1-x", " 1-2", "--1", "0-99999999999999999999"} {
		if got, ok := piece.ParsePart(spec); ok {
			t.Errorf("%q is taken as %+v", spec, got)
		}
	}
}

// Seen red by letting a part that begins at the end be an empty one.
func TestPartOfAFile(t *testing.T) {
	for _, c := range []struct {
		part                    piece.Part
		total, offset, length   int64
		ok                      bool
		firstPiece, beforePiece int
	}{
		{piece.Part{}, 10, 0, 10, true, 0, 3},
		{piece.Part{}, 0, 0, 0, true, 0, 0},
		{piece.Part{Offset: 3}, 10, 3, 7, true, 0, 3},
		{piece.Part{Offset: 4, Length: 4}, 10, 4, 4, true, 1, 2},
		{piece.Part{Offset: 7, Length: 2}, 10, 7, 2, true, 1, 3},
		{piece.Part{Offset: 7, Length: 99}, 10, 7, 3, true, 1, 3},
		{piece.Part{Offset: -3}, 10, 7, 3, true, 1, 3},
		{piece.Part{Offset: -30}, 10, 0, 10, true, 0, 3},
		{piece.Part{Offset: 9, Length: 1}, 10, 9, 1, true, 2, 3},
		{piece.Part{Offset: 10, Length: 1}, 10, 0, 0, false, 0, 0},
		{piece.Part{Offset: 0, Length: 1}, 0, 0, 0, false, 0, 0},
		{piece.Part{Offset: -1}, 0, 0, 0, false, 0, 0},
	} {
		offset, length, ok := c.part.Resolve(c.total)
		if offset != c.offset || length != c.length || ok != c.ok {
			t.Errorf("%+v of %d bytes: %d, %d, %v", c.part, c.total, offset, length, ok)
		}
		if first, end := (piece.Layout{Length: c.total, Size: 4}).Covering(offset, length); first != c.firstPiece || end != c.beforePiece {
			t.Errorf("%+v of %d bytes: pieces %d to %d", c.part, c.total, first, end)
		}
	}
}
