package deadmen

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/faultbed/faultbed/harness"
)

// marker is a variable that all processes of a run inherit. They are found by it, whoever
// their parent is by then.
const marker = "FAULTBED_DEADMEN"

// How often a run's journal is read, and how long all its processes may take to be killed.
const (
	watchEvery  = 2 * time.Millisecond
	searchEvery = 50 // times as seldom
	killWithin  = 2 * time.Second
)

// child is a run of faultbed that is to be killed, or not.
type child struct {
	cmd   *exec.Cmd
	mark  string
	out   string // folder for its runs, of which there is one
	ended chan struct{}
	start time.Time
	seen  []int // processes, as of the latest look at all of them
}

// startChild runs faultbed with these arguments. Its output goes to a file in out.
func startChild(faultbed, out, mark string, args ...string) (*child, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("start a run: %w", err)
	}
	said, err := os.Create(filepath.Join(out, "faultbed.log"))
	if err != nil {
		return nil, fmt.Errorf("start a run: %w", err)
	}
	defer said.Close() //nolint:errcheck // the child has its own
	c := &child{mark: mark, out: out, ended: make(chan struct{}), start: time.Now()}
	c.cmd = exec.Command(faultbed, append([]string{"run", "--out", out}, args...)...) //nolint:noctx // it is killed in ways of its own
	c.cmd.Env = append(os.Environ(), marker+"="+mark)
	c.cmd.Stdout, c.cmd.Stderr = said, said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us; it looks for its parent itself
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a run: %w", err)
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // its status is asked for later
	}()
	return c, nil
}

// folder is the run's own, "" as long as there is none.
func (c *child) folder() string {
	found, _ := filepath.Glob(filepath.Join(c.out, "*Z-*")) // the pattern is a good one
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// journal is what the run has told so far.
func (c *child) journal() []harness.Mark {
	folder := c.folder()
	if folder == "" {
		return nil
	}
	marks, _ := harness.ReadJournal(folder) // what cannot be read now can be in a moment
	return marks
}

// session is the run's, "" before it has one: then nothing is on the engine either.
func (c *child) session() string {
	for _, m := range c.journal() {
		return m.Session
	}
	return ""
}

// over says whether the run has ended.
func (c *child) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// status is what the run ended with: -1 if it was killed, or still runs.
func (c *child) status() int {
	if !c.over() {
		return -1
	}
	return c.cmd.ProcessState.ExitCode()
}

// said is the end of what the run printed.
func (c *child) said() string {
	text, err := os.ReadFile(filepath.Join(c.out, "faultbed.log"))
	if err != nil {
		return err.Error()
	}
	all := lines(string(text))
	return strings.Join(all[max(0, len(all)-3):], "; ")
}

// await waits until the run is so far into a phase and still in it, on a scenario's bed if
// one is named, and returns the stretch. It returns false when the run ends before.
func (c *child) await(ctx context.Context, aim Phase, scenario string, into time.Duration) (stretch, bool, error) {
	beat := time.NewTicker(watchEvery)
	defer beat.Stop()
	for n := 0; ; n++ {
		if s, ok := lasting(c.journal(), aim, scenario, into, time.Now()); ok {
			return s, true, nil
		}
		if n%searchEvery == 0 {
			c.processes() // so that they need not be searched for when it matters
		}
		select {
		case <-ctx.Done():
			return stretch{}, false, context.Cause(ctx)
		case <-c.ended:
			return stretch{}, false, nil
		case <-beat.C:
		}
	}
}

// wait returns when the run has ended by itself, within limit.
func (c *child) wait(ctx context.Context, limit time.Duration) error {
	patience := time.NewTimer(limit)
	defer patience.Stop()
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-patience.C:
		return fmt.Errorf("the run has not ended within %s", limit)
	}
}

// process is one of a run's.
type process struct {
	pid        int
	program    string
	number     int // of those that run scenarios, from 1
	undertaker bool
}

func (p process) String() string { return fmt.Sprintf("process %d (%s)", p.pid, p.program) }

var parallel = regexp.MustCompile(`ginkgo\.parallel\.process=(\d+)`)

// processes are those of the run that live, by what they carry in their environment.
func (c *child) processes() []process {
	entries, _ := os.ReadDir("/proc") // nothing where there is none
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	all := c.among(pids)
	c.seen = nil
	for _, p := range all {
		c.seen = append(c.seen, p.pid)
	}
	return all
}

// among picks the run's processes that live.
func (c *child) among(pids []int) []process {
	var all []process
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		environment, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(environment, []byte(marker+"="+c.mark+"\x00")) {
			continue // another's, or a dead one's
		}
		p := process{pid: pid, number: 1, undertaker: bytes.Contains(environment, []byte(harness.UndertakerVariable+"="))}
		exe, _ := os.Readlink(filepath.Join(dir, "exe")) // a process that is ending has none
		p.program = strings.TrimSuffix(filepath.Base(exe), " (deleted)")
		words, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if n := parallel.FindSubmatch(words); n != nil {
			p.number, _ = strconv.Atoi(string(n[1]))
		}
		all = append(all, p)
	}
	return all
}

// suite is what the compiled scenarios are called.
const suite = "suite.test"

// kill sends SIGKILL to a victim and says whom it hit, nobody if there was none. An
// undertaker is spared: it lives in a session of the kernel's of its own so that what
// kills a run, by its group or by its terminal, does not reach it.
func (c *child) kill(v Victim, pick int) (hit []process) {
	live := c.among(c.seen)
	for over := time.Now().Add(killWithin); time.Now().Before(over); live = c.processes() {
		chosen := choose(live, v, pick)
		for _, p := range chosen {
			err := syscall.Kill(p.pid, syscall.SIGKILL)
			if err == nil && !slices.ContainsFunc(hit, func(other process) bool { return other.pid == p.pid }) {
				hit = append(hit, p)
			}
		}
		if v != Everything && len(hit) > 0 || v == Everything && len(chosen) == 0 {
			return hit
		}
	}
	return hit
}

// choose picks a victim among a run's processes.
func choose(all []process, v Victim, pick int) []process {
	kept := slices.DeleteFunc(slices.Clone(all), func(p process) bool {
		switch {
		case p.undertaker:
			return true
		case v == Command:
			return p.program != "faultbed"
		case v == Ginkgo:
			return p.program != "ginkgo"
		case v == Process:
			return p.program != suite
		default:
			return false
		}
	})
	if v == Process && len(kept) > 1 {
		slices.SortFunc(kept, func(a, b process) int { return a.number - b.number })
		return kept[pick%len(kept):][:1]
	}
	return kept
}
