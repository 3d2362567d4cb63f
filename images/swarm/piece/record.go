package piece

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// recordVersion changes when an older daemon could misread a record.
const recordVersion = 1

// Record is what a store remembers of one file beside its content: enough to go on
// after a restart, and to tell which pieces on the disk are what they should be.
type Record struct {
	Version int              `json:"version"`
	ID      string           `json:"id"`
	URL     string           `json:"url"`
	Digest  string           `json:"digest"`
	Length  int64            `json:"length"`
	Size    int64            `json:"piece_size"`
	Digests [][]byte         `json:"piece_digests"`
	Held    Bitmap           `json:"held"`
	From    map[string]int64 `json:"from"`
	Used    time.Time        `json:"used"`
}

// Layout is the cutting of the file.
func (r Record) Layout() Layout { return Layout{Length: r.Length, Size: r.Size} }

// Save writes the record under path so that a reader finds the old one or the new
// one, whole, whenever the writer dies. It does not wait for the disk: what a power
// failure takes is found out by the digests.
func (r Record) Save(path string) error {
	r.Version = recordVersion
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", r.ID, err)
	}
	fresh := path + ".tmp"
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("write record: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("replace record: %w", err)
	}
	return nil
}

// LoadRecord reads a record and refuses one that cannot be true.
func LoadRecord(path string) (Record, error) {
	var r Record
	data, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("read record: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("decode record of %d bytes: %w", len(data), err)
	}
	return r, r.validate()
}

func (r Record) validate() error {
	if !r.Layout().Sane() {
		return fmt.Errorf("record has %d bytes in pieces of %d", r.Length, r.Size)
	}
	count := r.Layout().Count()
	switch {
	case r.Version != recordVersion:
		return fmt.Errorf("record has version %d, known is %d", r.Version, recordVersion)
	case r.ID != TaskID(r.URL, r.Digest):
		return fmt.Errorf("record of task %q is not that of its url", r.ID)
	case len(r.Digests) != count || len(r.Held) != len(NewBitmap(count)):
		return fmt.Errorf("record has %d digests and %d octets of held pieces for %d pieces", len(r.Digests), len(r.Held), count)
	case r.Held.Fit(count).Count() != r.Held.Count():
		return errors.New("record holds pieces beyond the end of the file")
	}
	for i, d := range r.Digests {
		if len(d) != 0 && len(d) != sha256.Size || len(d) == 0 && r.Held.Has(i) {
			return errors.New("record has a held piece without a digest, or one of the wrong length")
		}
	}
	return nil
}
