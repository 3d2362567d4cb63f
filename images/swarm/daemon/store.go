package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// Files of the store: each task has its content and a record of it.
const (
	contentExt = ".data"
	recordExt  = ".meta"
)

// keepEvery is how often a download under way is recorded: what a killed daemon
// fetches again is what came within that time.
const keepEvery = 200 * time.Millisecond

func (t *task) recordPath() string { return strings.TrimSuffix(t.path, contentExt) + recordExt }

// keep records what has come, now and then.
func (c *conductor) keep() {
	if c.d.can.Resume && time.Since(c.kept) >= keepEvery {
		c.kept = time.Now()
		c.d.save(c.t)
	}
}

// save records a task unless its record is up to date. A record that cannot be
// written costs a restart what it would have said, and no download anything.
func (d *Daemon) save(t *task) {
	t.mu.Lock()
	if !t.unsaved || !t.known || !d.can.Resume {
		t.mu.Unlock()
		return
	}
	t.unsaved = false
	r := piece.Record{
		ID: t.id, URL: t.url, Digest: t.digest, Length: t.layout.Length, Size: t.layout.Size,
		Digests: slices.Clone(t.digests), Held: slices.Clone(t.held), From: map[string]int64{}, Used: t.used,
	}
	for by, n := range t.from {
		r.From[string(by)] = n
	}
	t.mu.Unlock()
	if err := r.Save(t.recordPath()); err != nil {
		d.log.Warn("record not kept", "task", t.id, "error", err.Error())
	}
}

// openStore takes in what a former life left, or clears it.
func (d *Daemon) openStore() error {
	if !d.can.Resume {
		if err := os.RemoveAll(d.taskDir()); err != nil {
			return fmt.Errorf("clear the store: %w", err)
		}
	}
	if err := os.MkdirAll(d.taskDir(), 0o750); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	entries, err := os.ReadDir(d.taskDir())
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), recordExt); ok {
			d.takeIn(id)
		}
	}
	for _, e := range entries { // what no record speaks of is nothing that can be trusted
		id, isContent := strings.CutSuffix(e.Name(), contentExt)
		isRecord := strings.HasSuffix(e.Name(), recordExt)
		if isContent && d.tasks[id] == nil || !isContent && !isRecord {
			if err := os.RemoveAll(filepath.Join(d.taskDir(), e.Name())); err != nil {
				return fmt.Errorf("clear the store: %w", err)
			}
		}
	}
	if d.cfg.Quota > 0 { // it may have been lowered
		_, err = d.shrinkTo(d.cfg.Quota, nil)
	}
	return err
}

// takeIn loads one task. Its pieces are compared with their digests here, before any
// is announced, and not when one is first asked for: a child must not be sent to a
// peer that turns out not to have what it promised. That costs a start the reading
// of the store, a second or so for each GiB.
func (d *Daemon) takeIn(id string) {
	started := time.Now()
	path := filepath.Join(d.taskDir(), id)
	r, err := piece.LoadRecord(path + recordExt)
	if err == nil && r.ID != id {
		err = fmt.Errorf("%w: record of task %s", cause.ErrBadAnswer, r.ID)
	}
	var t *task
	damaged := 0
	if err == nil {
		t, damaged, err = reload(d.taskDir(), r)
	}
	if err != nil {
		d.log.Warn("stored task ignored", "task", id, "error", err.Error())
		_, _ = os.Remove(path+recordExt), os.Remove(path+contentExt)
		return
	}
	d.tasks[t.id] = t
	d.log.Info("stored task taken in", "task", t.id, "url", t.url, "pieces", t.layout.Count(), "held", t.count,
		"damaged", damaged, "took_ms", time.Since(started).Milliseconds())
}

// reload makes the task of a record, with those of its pieces that are on the disk.
func reload(dir string, r piece.Record) (t *task, damaged int, err error) {
	t = newTask(dir, r.URL, r.Digest)
	file, err := os.OpenFile(t.path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("open content: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := file.Truncate(r.Length); err != nil {
		return nil, 0, fmt.Errorf("cut content to %d bytes: %w", r.Length, err)
	}
	t.file, t.layout, t.known, t.used = file, r.Layout(), true, r.Used
	t.held, t.digests = r.Held, r.Digests
	for by, n := range r.From {
		t.from[giver(by)] = n
	}
	whole := sha256.New()
	for i := range t.layout.Count() {
		if !t.held.Has(i) {
			continue
		}
		if !t.intact(i, whole) {
			t.held.Clear(i)
			t.unsaved = true
			damaged++
			continue
		}
		t.count++
	}
	if t.count == 0 && t.layout.Count() > 0 {
		return nil, damaged, fmt.Errorf("%w: none of its pieces is what it should be", cause.ErrCorrupt)
	}
	if t.count == t.layout.Count() {
		t.sha, t.done = hex.EncodeToString(whole.Sum(nil)), true
		if t.digest != "" && t.sha != t.digest {
			return nil, damaged, fmt.Errorf("%w: the file is %s, promised was %s", cause.ErrCorrupt, t.sha, t.digest)
		}
	}
	return t, damaged, nil
}

// intact compares piece i on the disk with its digest, and adds it to whole.
func (t *task) intact(i int, whole hash.Hash) bool {
	offset, length := t.layout.Span(i)
	data := make([]byte, length)
	if _, err := t.file.ReadAt(data, offset); err != nil {
		return false
	}
	_, _ = whole.Write(data)
	sum := sha256.Sum256(data)
	return bytes.Equal(sum[:], t.digests[i])
}

// remove deletes the files of a task.
func (t *task) remove() error {
	var errs []error
	for _, path := range []string{t.recordPath(), t.path} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
