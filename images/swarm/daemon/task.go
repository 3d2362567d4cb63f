package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// giver is the kind of node that a piece came from.
type giver string

const (
	fromOrigin giver = "origin"
	fromSeed   giver = "seed"
	fromPeer   giver = "peer"
)

// task is one file that this peer holds or is getting. Pieces are checked before
// they are put in, so all that is held may be served.
type task struct {
	id, url, digest string
	path            string

	mu      sync.Mutex
	layout  piece.Layout
	known   bool
	digests [][]byte
	held    piece.Bitmap
	count   int
	file    *os.File
	from    map[giver]int64
	done    bool
	err     error
	sha     string
	changed chan struct{} // closed and replaced at each change

	running    bool
	fromSource bool // a supernode triggered this peer as a seed
}

func newTask(dir, url, digest string) *task {
	id := piece.TaskID(url, digest)
	return &task{
		id: id, url: url, digest: digest, path: filepath.Join(dir, id+".data"),
		from: map[giver]int64{}, changed: make(chan struct{}),
	}
}

// wake tells all who wait. The caller holds mu.
func (t *task) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// learn takes in the length and the piece digests that others know.
func (t *task) learn(meta *pb.Task) error {
	if meta.GetPieceSize() <= 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		if err := t.lay(meta.GetLength(), meta.GetPieceSize()); err != nil {
			return err
		}
	}
	if meta.GetLength() != t.layout.Length || meta.GetPieceSize() != t.layout.Size {
		return fmt.Errorf("%w: task %s has %d bytes here and %d there", cause.ErrBadAnswer, t.id, t.layout.Length, meta.GetLength())
	}
	for i, d := range meta.GetDigests() {
		if len(d) == sha256.Size && i < len(t.digests) && len(t.digests[i]) == 0 {
			t.digests[i] = d
		}
	}
	return nil
}

// lay makes room for a file of that length. The caller holds mu.
func (t *task) lay(length, size int64) error {
	layout := piece.Layout{Length: length, Size: size}
	if !layout.Sane() {
		return fmt.Errorf("%w: task %s of %d bytes in pieces of %d", cause.ErrBadAnswer, t.id, length, size)
	}
	file, err := os.OpenFile(t.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("store task %s: %w", t.id, err)
	}
	if err := file.Truncate(length); err != nil {
		_ = file.Close()
		return fmt.Errorf("store task %s: %w", t.id, err)
	}
	t.layout, t.known, t.file = layout, true, file
	t.digests, t.held = make([][]byte, layout.Count()), piece.NewBitmap(layout.Count())
	t.wake()
	return nil
}

// put checks piece i against the digest known from the swarm, or else against
// stated, and stores it. Putting a held piece again changes nothing.
func (t *task) put(i int, data, stated []byte, by giver) error {
	sum := sha256.Sum256(data)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held.Has(i) {
		return nil
	}
	want := t.digests[i]
	if len(want) == 0 {
		want = stated
	}
	if len(want) > 0 && !bytes.Equal(want, sum[:]) {
		return fmt.Errorf("%w: piece %d of task %s is %x, promised was %x", cause.ErrCorrupt, i, t.id, sum[:4], want[:min(4, len(want))])
	}
	offset, length := t.layout.Span(i)
	if int64(len(data)) != length {
		return fmt.Errorf("%w: piece %d has %d bytes instead of %d", cause.ErrBadAnswer, i, len(data), length)
	}
	if _, err := t.file.WriteAt(data, offset); err != nil {
		return fmt.Errorf("store piece %d: %w", i, err)
	}
	t.digests[i] = sum[:]
	t.held.Set(i)
	t.count++
	t.from[by] += length
	t.wake()
	return nil
}

// whole says whether every piece is held.
func (t *task) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known && t.count == t.layout.Count()
}

// finish ends the run of a task; a task whose content is not what was promised is emptied.
func (t *task) finish(err error) error {
	if err == nil {
		err = t.verify()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, t.fromSource = false, false
	t.done, t.err = err == nil, err
	t.wake()
	return err
}

func (t *task) verify() error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(t.file, 0, t.layout.Length)); err != nil {
		return fmt.Errorf("read back task %s: %w", t.id, err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.digest != "" && t.digest != sum {
		t.held, t.count = piece.NewBitmap(t.layout.Count()), 0
		t.digests = make([][]byte, t.layout.Count())
		clear(t.from)
		return fmt.Errorf("%w: the file is %s, promised was %s", cause.ErrCorrupt, sum, t.digest)
	}
	t.sha = sum
	return nil
}

// view is a consistent copy of a task's state, with the channel that closes at the next change.
type view struct {
	meta    *pb.Task
	held    piece.Bitmap
	count   int
	known   bool
	done    bool
	running bool
	err     error
	sha     string
	from    map[giver]int64
	changed <-chan struct{}
}

func (t *task) view() view {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := view{
		meta: &pb.Task{Id: t.id, Url: t.url, Digest: t.digest},
		held: slices.Clone(t.held), count: t.count, known: t.known, done: t.done, running: t.running, err: t.err, sha: t.sha,
		from: map[giver]int64{}, changed: t.changed,
	}
	if t.known {
		v.meta.Length, v.meta.PieceSize, v.meta.Digests = t.layout.Length, t.layout.Size, slices.Clone(t.digests)
	}
	for k, n := range t.from {
		v.from[k] = n
	}
	return v
}

// read returns piece i if it is held.
func (t *task) read(i int) ([]byte, bool) {
	t.mu.Lock()
	has, layout, file := t.held.Has(i), t.layout, t.file
	t.mu.Unlock()
	if !has {
		return nil, false
	}
	offset, length := layout.Span(i)
	data := make([]byte, length)
	_, err := file.ReadAt(data, offset)
	return data, err == nil
}

// stream calls give with the pieces in order, each as soon as it is held, and with
// nothing as a sign of life while it waits.
func (t *task) stream(ctx context.Context, beat time.Duration, give func([]byte) error) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for next := 0; ; {
		v := t.view()
		if v.known && next == (piece.Layout{Length: v.meta.GetLength(), Size: v.meta.GetPieceSize()}).Count() && (v.done || v.err != nil) {
			return v.err
		}
		if v.held.Has(next) {
			data, ok := t.read(next)
			if !ok {
				return fmt.Errorf("read piece %d of task %s back", next, t.id)
			}
			if err := give(data); err != nil {
				return err
			}
			next++
			continue
		}
		if !v.running && v.err != nil {
			return v.err
		}
		select {
		case <-v.changed:
		case <-ticker.C:
			if err := give(nil); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *task) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != nil {
		_ = t.file.Close()
	}
}
