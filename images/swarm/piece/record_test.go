package piece_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

func aRecord() piece.Record {
	digest := sha256.Sum256([]byte("x"))
	r := piece.Record{
		ID: piece.TaskID("http://o/f", ""), URL: "http://o/f", Length: 5, Size: 2,
		Digests: [][]byte{digest[:], nil, digest[:]}, Held: piece.NewBitmap(3), From: map[string]int64{"seed": 3},
	}
	r.Held.Set(0)
	return r
}

func TestRecordComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.meta")
	want := aRecord()
	for range 2 { // the second replaces the first
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := piece.LoadRecord(path)
	want.Version = got.Version
	want.Digests[1] = got.Digests[1] // nil or empty, no matter
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

// Seen red without validate: all but the truncated ones are taken.
func TestRecordThatCannotBeTrueIsRefused(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "r.meta")
	if err := aRecord().Save(whole); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) []byte {
		if !strings.Contains(string(text), from) {
			t.Fatalf("%s has no %s", text, from)
		}
		return []byte(strings.Replace(string(text), from, to, 1))
	}
	for name, data := range map[string][]byte{
		"empty": nil, "truncated": text[:len(text)/2], "zeros": make([]byte, 4096), "garbage": bytes.Repeat([]byte{0xa5}, 100),
		"another version": change(`"version":1`, `"version":2`), "another url": change("http://o/f", "http://o/g"),
		"negative length": change(`"length":5`, `"length":-5`), "no pieces": change(`"piece_size":2`, `"piece_size":0`),
		"endless length": change(`"length":5`, `"length":9223372036854775807`),
		"more pieces":    change(`"length":5`, `"length":50`), "held without digest": change(`"held":"AQ=="`, `"held":"Ag=="`),
		"short digest": change(`"piece_digests":["`, `"piece_digests":["AQ==","`),
	} {
		path := filepath.Join(t.TempDir(), "r.meta")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := piece.LoadRecord(path); err == nil {
			t.Errorf("%s: taken as %+v", name, r)
		}
	}
}
