package daemon

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/images/swarm/piece"
)

// obtain returns the task of a URL, with the download of a part of it under way or
// done. Downloads of one task join. With fromSource this peer is the seed that must
// bring the file into the swarm. The task stays until the caller unpins it.
func (d *Daemon) obtain(url, digest string, part piece.Part, fromSource bool) *task {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := newTask(d.taskDir(), url, digest)
	t := d.tasks[fresh.id]
	if t == nil {
		t = fresh
		d.tasks[t.id] = t
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = time.Now()
	t.pins++
	if t.done || d.ctx.Err() != nil || !t.running && t.has(part) && t.count < t.layout.Count() {
		return t
	}
	t.fromSource = t.fromSource || fromSource
	if !t.running {
		t.running, t.err, t.base = true, nil, maps.Clone(t.from)
		t.runs++
		d.work.Go(func() { newConductor(d, t).run() })
	}
	t.wants(part)
	t.wake()
	return t
}

// held returns the task of that id if this peer knows it.
func (d *Daemon) held(id string) *task {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tasks[id]
}

// pinned is held for whoever reads the content: the task stays until it is unpinned.
func (d *Daemon) pinned(id string) *task {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tasks[id]
	if t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.used = time.Now()
		t.pins++
	}
	return t
}

func (t *task) unpin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pins--
}

func (d *Daemon) allTasks() []*task {
	d.mu.Lock()
	defer d.mu.Unlock()
	tasks := make([]*task, 0, len(d.tasks))
	for _, t := range d.tasks {
		tasks = append(tasks, t)
	}
	slices.SortFunc(tasks, func(a, b *task) int { return strings.Compare(a.id, b.id) })
	return tasks
}
