package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/source"
)

// giver is the kind of node that a piece came from.
type giver string

const (
	fromOrigin giver = "origin"
	fromSeed   giver = "seed"
	fromPeer   giver = "peer"
)

// errStore is in the chain of what this peer's own disk refuses: nobody else is to blame.
var errStore = errors.New("store")

// content is the file on the disk that pieces are put into.
type content interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

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
	file    content
	from    map[giver]int64
	done    bool
	err     error
	sha     string
	changed chan struct{} // closed and replaced at each change

	running    bool
	fromSource bool // a supernode triggered this peer as a seed
	runs       int
	base       map[giver]int64 // what from was when the run began
	parts      []piece.Part    // what the run is to bring
	needed     piece.Bitmap    // the pieces of parts, once the length is known
	unsaved    bool            // the record on the disk is behind
	used       time.Time
	pins       int // how many read it, or wait for it

	room int64 // bytes that a run was granted; guarded by Daemon.mu
}

func newTask(dir, url, digest string) *task {
	id := piece.TaskID(url, digest)
	return &task{
		id: id, url: url, digest: digest, path: filepath.Join(dir, id+contentExt),
		from: map[giver]int64{}, changed: make(chan struct{}), used: time.Now(),
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
		return fmt.Errorf("%w: task %s: %w", errStore, t.id, err)
	}
	if err := file.Truncate(length); err != nil {
		_ = file.Close()
		return fmt.Errorf("%w: task %s: %w", errStore, t.id, err)
	}
	t.layout, t.known, t.file = layout, true, file
	t.digests, t.held = make([][]byte, layout.Count()), piece.NewBitmap(layout.Count())
	t.unsaved = true
	t.reckon()
	t.wake()
	return nil
}

// settleLength fixes the length that an origin states, once for all.
func (t *task) settleLength(total int64) (piece.Layout, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		if err := t.lay(total, piece.SizeFor(total)); err != nil {
			return piece.Layout{}, err
		}
	}
	if t.layout.Length != total {
		return piece.Layout{}, fmt.Errorf("%w: the file has %d bytes now, %d before", source.ErrChanged, total, t.layout.Length)
	}
	return t.layout, nil
}

// put checks piece i against the digest known from the swarm, or else against
// stated, and stores it. Putting a held piece again changes nothing; fresh says
// whether it was not held.
func (t *task) put(i int, data, stated []byte, by giver) (fresh bool, err error) {
	sum := sha256.Sum256(data)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held.Has(i) {
		return false, nil
	}
	want := t.digests[i]
	if len(want) == 0 {
		want = stated
	}
	if len(want) > 0 && !bytes.Equal(want, sum[:]) {
		return false, fmt.Errorf("%w: piece %d of task %s is %x, promised was %x", cause.ErrCorrupt, i, t.id, sum[:4], want[:min(4, len(want))])
	}
	offset, length := t.layout.Span(i)
	if int64(len(data)) != length {
		return false, fmt.Errorf("%w: piece %d has %d bytes instead of %d", cause.ErrBadAnswer, i, len(data), length)
	}
	if _, err := t.file.WriteAt(data, offset); err != nil {
		return false, fmt.Errorf("%w: piece %d of task %s: %w", errStore, i, t.id, err)
	}
	t.digests[i] = sum[:]
	t.held.Set(i)
	t.count++
	t.unsaved = true
	t.from[by] += length
	t.wake()
	return true, nil
}

// finish ends the run of a task, which is saved before, unless meanwhile more is
// wanted of it: then the run goes on. A task whose content is not what was promised,
// or has no room, is emptied.
func (t *task) finish(err error, save func(*task)) (again bool, _ error) {
	whole := err == nil && t.whole()
	if whole {
		err = t.verify()
	}
	save(t)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && !t.satisfied() {
		return true, nil
	}
	if errors.Is(err, source.ErrChanged) || errors.Is(err, syscall.ENOSPC) {
		t.empty()
	}
	t.running, t.fromSource = false, false
	t.parts, t.needed = nil, nil
	t.done, t.err = whole && err == nil, err
	t.wake()
	return false, err
}

func (t *task) verify() error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(t.file, 0, t.layout.Length)); err != nil {
		return fmt.Errorf("%w: read back task %s: %w", errStore, t.id, err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.digest != "" && t.digest != sum {
		by := fmt.Sprintf("%d bytes came from origin %s, %d from seeds, %d from peers",
			t.from[fromOrigin], source.Target(t.url), t.from[fromSeed], t.from[fromPeer])
		t.empty()
		return fmt.Errorf("%w: the file is %s, promised was %s; %s", cause.ErrCorrupt, sum, t.digest, by)
	}
	t.sha = sum
	return nil
}

// empty forgets all content, on the disk too: the next attempt starts from nothing.
// The caller holds mu.
func (t *task) empty() {
	t.shut()
	t.layout, t.known = piece.Layout{}, false
	t.digests, t.held, t.count, t.sha = nil, nil, 0, ""
	t.done, t.needed = false, nil
	clear(t.from)
	t.unsaved = false
	_ = t.remove()
	t.wake()
}

// read returns piece i if it is held, in a buffer that the caller gives back.
func (t *task) read(i int) (buffer *[]byte, ok bool) {
	t.mu.Lock()
	has, layout, file := t.held.Has(i), t.layout, t.file
	t.mu.Unlock()
	if !has {
		return nil, false
	}
	offset, length := layout.Span(i)
	buffer = takeBuffer(length)
	if _, err := file.ReadAt(*buffer, offset); err != nil {
		giveBuffer(buffer)
		return nil, false
	}
	return buffer, true
}

// shut closes the content. The caller holds mu, or is the last.
func (t *task) shut() {
	if t.file != nil {
		_ = t.file.Close()
		t.file = nil
	}
}
