package harness

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/system/dragonfly"
	"github.com/faultbed/faultbed/harness/system/reference"
)

// Session is what the beds of one run share: an engine, the images, a system under
// test, and faultd with its lease. Processes of one run share a session: the first
// opens it, the others attach to it.
type Session struct {
	Options
	ID     string
	Engine *cluster.Engine
	System system.System
	Agent  *agent.Client
	// Can is what the kernel can do in a container's network namespace: see
	// agent.Client.Capabilities.
	Can map[string]string

	gate     []byte          // the program, for images that have none
	faultd   *faultd         // of the process that opened the session
	alive    context.Context // ends when faultd is gone before its time
	lose     context.CancelCauseFunc
	stop     context.CancelFunc // of the lease
	leaseEnd chan struct{}

	mu       sync.Mutex
	beds     int
	occupied bool  // by a bed
	site     *site // that the last bed has left for the next one; nil if it has not
	finished *history.History
}

// Handoff is what another process needs to attach to a session. Ginkgo hands it over a
// port that any local user can ask: without the token, if that is in the environment.
type Handoff struct {
	ID, Address, Token string
	Images             map[string]string
	Stores             dragonfly.Stores // none for other systems
	Can                map[string]string
}

// Open starts a session: it builds what images are missing and starts faultd, which
// removes all that the session started once nobody renews its lease any more.
// progress gets a line for whatever takes long.
func Open(ctx context.Context, o Options, progress func(string)) (_ *Session, _ Handoff, err error) {
	engine, err := cluster.Connect(ctx)
	if err != nil {
		return nil, Handoff{}, err
	}
	if len(o.Images) == 0 {
		if o.Images, err = engine.BuildImages(ctx, progress); err != nil {
			return nil, Handoff{}, err
		}
	}
	handoff := Handoff{ID: "fb-" + randomHex(4), Token: cmp.Or(o.Token, NewToken()), Images: o.Images}
	if o.System == "dragonfly" {
		database, cache, err := engine.Stores(ctx, progress)
		if err != nil {
			return nil, Handoff{}, err
		}
		handoff.Stores = dragonfly.Stores{Database: dragonfly.Store(database), Cache: dragonfly.Store(cache)}
	}
	end, err := startUndertaker(handoff.ID)
	if err != nil {
		return nil, handoff, err
	}
	defer func() { end(err == nil) }()
	writeMark(o.RunDir, Mark{At: time.Now(), Session: handoff.ID, Doing: Opening})
	ctx, cancel := context.WithTimeout(ctx, SessionStart)
	defer cancel()
	caps := faultdCaps
	if o.Capture {
		caps = capturing
	}
	helper, err := startFaultd(ctx, engine, handoff, caps)
	if err == nil {
		handoff.Address, err = helper.Endpoint(ctx, faultdPort)
	}
	var s *Session
	if err == nil {
		s, err = attach(ctx, o, handoff)
	}
	if err != nil {
		return nil, handoff, errors.Join(fmt.Errorf("start session: %w", err), helper.remove(ctx, engine))
	}
	s.faultd = &helper
	s.hold(ctx, s.Agent.KeepLease)
	if err := s.try(ctx); err != nil {
		return nil, handoff, errors.Join(fmt.Errorf("start session: %w", err), s.Close(context.WithoutCancel(ctx)))
	}
	handoff.Can = s.Can
	s.note(Mark{Doing: Opening, Done: true})
	if o.Token != "" {
		handoff.Token = ""
	}
	return s, handoff, nil
}

// hold keeps a lease until the session is closed here. That it ended before is how
// this process learns that faultd is gone.
func (s *Session) hold(ctx context.Context, keep func(context.Context) error) {
	lease, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.leaseEnd = stop, make(chan struct{})
	go func() {
		defer close(s.leaseEnd)
		if err := keep(lease); err != nil {
			s.lose(fmt.Errorf("faultd is gone: %w", err))
		}
	}()
}

// try refuses a kernel on which no bed can be laid, before one is.
func (s *Session) try(ctx context.Context) error {
	// Behind its gate, which nobody opens, any node does nothing.
	idle, err := s.Engine.Run(ctx, cluster.Spec{
		Name: s.ID + "-probed", Host: "probed", Image: s.Images["origin"],
		Labels:   map[string]string{cluster.LabelSession: s.ID, cluster.LabelRole: "origin"},
		Isolated: true,
	})
	network := s.ID + "-probed"
	if err == nil {
		err = s.Agent.Plug(ctx, network, idle.ID, "probed", hostAt(firstHost))
	}
	if err == nil {
		s.Can, err = s.Agent.Capabilities(ctx, idle.ID)
	}
	if err == nil {
		err = s.Agent.CloseNetwork(ctx, network)
	}
	if err == nil {
		err = s.tryEngine(ctx)
	}
	if idle != nil {
		err = errors.Join(err, s.Engine.RemoveNode(context.WithoutCancel(ctx), idle.ID))
	}
	if err != nil {
		return fmt.Errorf("try the kernel: %w", err)
	}
	var fatal []error
	for _, p := range KernelProblems(s.Can) {
		if p.Fatal {
			fatal = append(fatal, errors.New(p.String()))
		}
	}
	return errors.Join(fatal...)
}

// tryEngine adds what the engine says of control groups to what the kernel can do.
func (s *Session) tryEngine(ctx context.Context) error {
	info, err := s.Engine.Info(ctx)
	if err != nil {
		return err
	}
	for name, can := range map[string]bool{"cgroup-cpu": info.BoundsCPU, "cgroup-memory": info.BoundsMemory} {
		s.Can[name] = "yes"
		if !can {
			s.Can[name] = "the engine has no such control group"
		}
	}
	return nil
}

// Attach joins a session that another process has opened. Beds of this process that
// it cannot put away, being killed, are removed by faultd.
func Attach(ctx context.Context, o Options, h Handoff) (*Session, error) {
	within, cancel := context.WithTimeout(ctx, attachWithin)
	defer cancel()
	s, err := attach(within, o, h)
	if err != nil {
		return nil, fmt.Errorf("is faultd gone already? %w", err)
	}
	s.hold(ctx, func(ctx context.Context) error { return s.Agent.KeepBeds(ctx, s.bedPrefix()) })
	return s, nil
}

func attach(ctx context.Context, o Options, h Handoff) (*Session, error) {
	engine, err := cluster.Connect(ctx)
	if err != nil {
		return nil, err
	}
	o.Images = h.Images
	under, err := systemOf(o, h)
	if err != nil {
		return nil, err
	}
	gate, err := engine.Gate(ctx)
	if err != nil {
		return nil, err
	}
	client, err := agent.Dial(ctx, h.Address, cmp.Or(h.Token, o.Token))
	if err != nil {
		return nil, err
	}
	s := &Session{Options: o, ID: h.ID, Engine: engine, System: under, Agent: client, Can: h.Can, gate: gate}
	s.alive, s.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	return s, nil
}

func systemOf(o Options, h Handoff) (system.System, error) {
	switch o.System {
	case "reference":
		return reference.New(o.Images, o.Profile)
	case "dragonfly":
		return dragonfly.New(o.Images, o.Release, o.Profile, h.Stores)
	}
	return nil, fmt.Errorf("unknown system %q: known are reference and dragonfly", o.System)
}

// Close ends the session. The process that opened it also removes faultd, after it
// has made sure that nothing of the session is left; what was left is an error.
func (s *Session) Close(ctx context.Context) error {
	if s.faultd == nil {
		err := errors.Join(s.yield(ctx), s.closeSite(ctx))
		s.stop()
		<-s.leaseEnd
		return errors.Join(err, s.Agent.Close(), s.Engine.Close())
	}
	s.note(Mark{Doing: Closing})
	defer s.note(Mark{Doing: Closing, Done: true})
	errs := []error{s.yield(ctx), s.closeSite(ctx)}
	left, err := s.leftovers(ctx)
	errs = append(errs, err)
	for _, l := range left {
		errs = append(errs, fmt.Errorf("%s %s was left behind", l.Kind, l.Name))
	}
	errs = append(errs, s.Engine.Remove(ctx, left))
	s.stop()
	<-s.leaseEnd
	errs = append(errs, s.faultd.remove(ctx, s.Engine), s.lostBecause())
	// Faultd is gone on purpose: its connection has nothing more to say.
	return errors.Join(append(errs, s.Agent.Close(), s.Engine.Close())...)
}

// yield lets a faultd that has given this session up, and still runs, remove it alone:
// two would empty a network side by side. It returns when that faultd is gone, or has had
// its time; at once while the session is well.
func (s *Session) yield(ctx context.Context) error {
	if s.lostBecause() == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, yieldWithin)
	defer cancel()
	err := await(ctx, "faultd to remove the session", Poll, func(ctx context.Context) error {
		left, err := leftoversOf(ctx, s.Engine, s.ID)
		if err == nil && slices.ContainsFunc(left, func(l cluster.Leftover) bool {
			return l.Kind == cluster.KindContainer && l.Role == cluster.RoleFaultd && l.Running
		}) {
			err = errors.New("it runs")
		}
		return err
	})
	if ctx.Err() != nil {
		return nil // it hangs; what is left is ours to remove
	}
	return err
}

// leftovers are the objects of this session other than faultd.
func (s *Session) leftovers(ctx context.Context) ([]cluster.Leftover, error) {
	all, err := leftoversOf(ctx, s.Engine, s.ID)
	return slices.DeleteFunc(all, func(l cluster.Leftover) bool { return s.faultd.owns(l.ID) }), err
}

// lostBecause says why faultd is gone, nil as long as it is there. Without it nothing
// can be broken, healed or told.
func (s *Session) lostBecause() error {
	if s.alive.Err() == nil {
		return nil
	}
	return context.Cause(s.alive)
}

// occupy notes that a bed is laid, unless there is one already: a scenario has one
// history.
func (s *Session) occupy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.occupied
	s.occupied = true
	return !was
}

// vacate notes that the bed is put away, finish that its history is the scenario's.
func (s *Session) vacate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.occupied = false
}

func (s *Session) finish(h *history.History) {
	s.vacate()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = h
}

// nextBed returns a name for a bed that no other bed of the run has.
func (s *Session) nextBed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beds++
	return s.bedPrefix() + strconv.Itoa(s.beds)
}

// bedPrefix begins the names of this process's beds.
func (s *Session) bedPrefix() string { return BedsOf(s.ID, os.Getpid()) }

// BedsOf is what the names of the beds begin with that a process of a session lays.
func BedsOf(session string, pid int) string {
	return session + "-" + strconv.FormatInt(int64(pid), 36) + "-"
}

// Write is the handoff as text.
func (h Handoff) Write() []byte {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and a map of strings
	}
	return text
}

// ReadHandoff is the reverse of Write.
func ReadHandoff(text []byte) (Handoff, error) {
	var h Handoff
	if err := json.Unmarshal(text, &h); err != nil {
		return h, fmt.Errorf("read handoff: %w", err)
	}
	return h, nil
}

// NewToken makes a session's secret.
func NewToken() string { return randomHex(16) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
