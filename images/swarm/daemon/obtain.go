package daemon

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// obtain returns the task of a URL, with its download under way or done.
// Downloads of one task join. With fromSource this peer is the seed that must
// bring the file into the swarm.
func (d *Daemon) obtain(url, digest string, fromSource bool) *task {
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
	if t.done || d.ctx.Err() != nil {
		return t
	}
	t.fromSource = t.fromSource || fromSource
	t.wake()
	if !t.running {
		t.running, t.err, t.base = true, nil, maps.Clone(t.from)
		d.work.Go(func() { newConductor(d, t).run() })
	}
	return t
}

// held returns the task of that id if this peer knows it.
func (d *Daemon) held(id string) *task {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tasks[id]
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
