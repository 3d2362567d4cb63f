// Package piece cuts files into pieces: where each lies, which ones are held, and
// the file on disk that they are put into.
package piece

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"strconv"
	"strings"
)

// Piece sizes: small files have pieces of 256 KiB, so that even one of 1 MiB has
// several parents; larger ones have pieces of 1 MiB, so that lists stay short.
const (
	small          = 256 << 10
	large          = 1 << 20
	largeFrom      = 16 << 20
	digestHexChars = sha256.Size * 2
)

// SizeFor returns the piece size, in bytes, of a file of that length.
func SizeFor(length int64) int64 {
	if length < largeFrom {
		return small
	}
	return large
}

// Layout is the cutting of one file.
type Layout struct {
	Length int64
	Size   int64
}

// Bounds of what is taken for a file: others state its length, and a piece, and a list
// of all pieces, must fit into memory.
const (
	maxLength    = 1 << 50
	maxPieces    = 1 << 20
	maxPieceSize = 64 << 20
)

// Sane says whether a file can be cut like that.
func (l Layout) Sane() bool {
	return l.Length >= 0 && l.Length <= maxLength && l.Size > 0 && l.Size <= maxPieceSize && l.Count() <= maxPieces
}

// Count is the number of pieces; an empty file has none.
func (l Layout) Count() int {
	if l.Size <= 0 {
		return 0
	}
	return int((l.Length + l.Size - 1) / l.Size)
}

// Span is the offset and the length, in bytes, of piece i.
func (l Layout) Span(i int) (offset, length int64) {
	offset = int64(i) * l.Size
	return offset, min(l.Size, l.Length-offset)
}

// Part is a part of a file: length bytes from Offset on, or with a Length of 0 all
// from there. A negative Offset counts from the end. The zero Part is the whole file.
type Part struct {
	Offset, Length int64
}

// Resolve says where in a file of that length a part begins and how long it is; a part
// that begins behind the end is none.
func (p Part) Resolve(total int64) (offset, length int64, ok bool) {
	offset = p.Offset
	if offset < 0 {
		offset = max(0, total+offset)
	}
	if offset > total || offset == total && p != (Part{}) {
		return 0, 0, false
	}
	length = total - offset
	if p.Length > 0 {
		length = min(length, p.Length)
	}
	return offset, length, true
}

// Covering is the range of pieces, from first to before end, that hold length bytes from offset on.
func (l Layout) Covering(offset, length int64) (first, end int) {
	if length <= 0 || l.Size <= 0 {
		return 0, 0
	}
	return int(offset / l.Size), int((offset + length + l.Size - 1) / l.Size)
}

// TaskID names the task of a URL; the same URL with another promised digest is another task.
func TaskID(url, digest string) string {
	sum := sha256.Sum256([]byte(url + "\n" + digest))
	return hex.EncodeToString(sum[:16])
}

// ParseDigest takes "sha256:<hex>", "<hex>" or "" and returns the lower-case hex.
func ParseDigest(s string) (string, bool) {
	s = strings.ToLower(strings.TrimPrefix(s, "sha256:"))
	if s == "" {
		return "", true
	}
	if len(s) != digestHexChars {
		return "", false
	}
	_, err := hex.DecodeString(s)
	return s, err == nil
}

// Bitmap is one bit per piece.
type Bitmap []byte

// NewBitmap has room for n pieces, none held.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+7)/8) }

// Has says whether piece i is held; pieces beyond the end are not.
func (b Bitmap) Has(i int) bool { return i >= 0 && i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0 }

// Set marks piece i as held.
func (b Bitmap) Set(i int) { b[i/8] |= 1 << (i % 8) }

// Clear marks piece i as not held.
func (b Bitmap) Clear(i int) { b[i/8] &^= 1 << (i % 8) }

// Count is the number of pieces held.
func (b Bitmap) Count() int {
	n := 0
	for _, octet := range b {
		n += bits.OnesCount8(octet)
	}
	return n
}

// Fit is the bitmap as one of n pieces: what others sent may be shorter, or go on.
func (b Bitmap) Fit(n int) Bitmap {
	fit := NewBitmap(n)
	copy(fit, b)
	if n%8 != 0 {
		fit[len(fit)-1] &= 1<<(n%8) - 1
	}
	return fit
}

// ParsePart reads a range of bytes as HTTP writes it, without the unit: "0-99",
// "100-", or "-50" for the end.
func ParsePart(spec string) (Part, bool) {
	first, last, ok := strings.Cut(spec, "-")
	const bits = 62 // so that sums do not overflow
	from, errFirst := strconv.ParseUint(first, 10, bits)
	to, errLast := strconv.ParseUint(last, 10, bits)
	switch {
	case !ok || first == "" && errLast != nil || first != "" && errFirst != nil || last != "" && errLast != nil:
		return Part{}, false
	case first == "" && to == 0:
		return Part{Offset: 1 << bits}, true // the last none of its bytes: behind every end
	case first == "":
		return Part{Offset: -int64(to)}, true
	case last == "":
		return Part{Offset: int64(from)}, true
	}
	return Part{Offset: int64(from), Length: int64(to) - int64(from) + 1}, from <= to
}
