package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// Config says whom to ask. Supernodes are host:port, beside those that the daemon says.
type Config struct {
	Release    string
	Status     string // host:port of the daemon's status
	Supernodes []string
	Profile    timers.Profile
	// Stack opens the connections; nil is the operating system's.
	Stack wire.Stack
}

// Roles as findings name them.
const (
	roleSupernode = "supernode"
	roleSeed      = "seed"
	rolePeer      = "peer"
)

// atOnce is how many checks run side by side; spare is how many descriptors the doctor
// needs beside those of its checks, of which each takes two with its lookup.
const (
	atOnce = 48
	spare  = 10
)

// Limit bounds a whole examination: everything that is not known by then has failed.
func Limit(p timers.Profile) time.Duration { return 2*p.RegisterTimeout + 6*p.CheckTimeout }

// Examine gathers the facts, everything side by side.
func Examine(ctx context.Context, cfg Config) Facts {
	ctx, cancel := context.WithTimeout(ctx, Limit(cfg.Profile))
	defer cancel()
	e := &examination{network: wire.NewNetwork(cfg.Stack, cfg.Profile), slots: make(chan struct{}, atOnce)}
	e.facts.Release = cfg.Release
	if open, limit, err := diag.OpenDescriptors(); err == nil {
		e.facts.Own = Descriptors{open, limit}
		if free := int(min(limit, 2*atOnce+spare)) - spare; free < 2*atOnce {
			e.slots = make(chan struct{}, max(1, free/2))
		}
	}
	e.daemon(ctx, cfg.Status)
	for _, target := range supernodes(cfg.Supernodes, e.facts.Daemon.Status) {
		e.work.Go(func() { e.supernode(ctx, target) })
	}
	if s := e.facts.Daemon.Status; s != nil {
		for _, h := range s.Hosts {
			e.work.Go(func() { e.host(ctx, h) })
		}
	}
	e.work.Wait()
	e.facts.sort()
	return e.facts
}

// supernodes are those that were given and those that the daemon has, each once.
func supernodes(given []string, s *daemon.Status) []string {
	var all []string
	seen := map[string]bool{}
	add := func(target string) {
		if !seen[target] {
			seen[target] = true
			all = append(all, target)
		}
	}
	for _, target := range given {
		add(target)
	}
	if s != nil {
		for _, p := range s.Places {
			add(p.Supernode)
		}
	}
	return all
}

type examination struct {
	network wire.Network
	slots   chan struct{}
	work    sync.WaitGroup

	mu    sync.Mutex
	facts Facts
}

// within runs one check under a limit, when there is room for it.
func (e *examination) within(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("not begun within the doctor's limit: %w", ctx.Err())
	}
	defer func() { <-e.slots }()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return check(ctx)
}

func (e *examination) daemon(ctx context.Context, target string) {
	d := Daemon{Target: target}
	var status daemon.Status
	text, err := e.get(ctx, "http://"+target+"/status")
	if err == nil {
		if err = json.Unmarshal(text, &status); err != nil {
			err = fmt.Errorf("%w: %w", cause.ErrBadAnswer, err)
		}
	}
	if d.Failed = failed(err); err == nil {
		d.Status = &status
		if text, err := e.get(ctx, "http://"+target+"/metrics"); err == nil {
			d.Descriptors = Descriptors{gauge(text, "swarm_open_descriptors"), gauge(text, "swarm_max_descriptors")}
		}
	}
	e.facts.Daemon = d
}

// gauge reads one value without labels from a page of metrics; 0 if it is not there.
func gauge(metrics []byte, name string) uint64 {
	for line := range strings.Lines(string(metrics)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return uint64(n)
		}
	}
	return 0
}

// get reads one page on a connection of its own.
func (e *examination) get(ctx context.Context, url string) (text []byte, err error) {
	err = e.within(ctx, e.network.Profile.CheckTimeout, func(ctx context.Context) error {
		text, err = e.ask(ctx, url, 0)
		return err
	})
	return text, err
}

// ask makes a GET with that many bytes in its header beside the usual ones.
func (e *examination) ask(ctx context.Context, url string, pad int) ([]byte, error) {
	client := e.network.HTTPClient()
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	request.Close = true
	if pad > 0 {
		request.Header.Set("X-Pad", strings.Repeat("x", pad))
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: status %s", cause.ErrBadAnswer, response.Status)
	}
	return text, err
}

func (e *examination) supernode(ctx context.Context, target string) {
	host, _, err := net.SplitHostPort(target)
	if err == nil && net.ParseIP(host) == nil {
		n := Name{Host: host}
		began := time.Now()
		err = e.within(ctx, e.network.Profile.RegisterTimeout, func(ctx context.Context) (err error) {
			n.Addresses, err = e.network.Stack.LookupHost(ctx, host)
			return err
		})
		n.Took, n.Failed = time.Since(began), failed(err)
		e.mu.Lock()
		e.facts.Names = append(e.facts.Names, n)
		e.mu.Unlock()
		if err != nil {
			return // a port of nowhere
		}
	}
	port := e.port(ctx, Port{Target: target, Role: roleSupernode, Use: "grpc"})
	if !port.Failed.yes() {
		e.grpcPaths(ctx, target)
	}
}

func (e *examination) host(ctx context.Context, h daemon.HostStatus) {
	role := rolePeer
	if h.Seed {
		role = roleSeed
	}
	at := func(port int32) string { return net.JoinHostPort(h.IP, strconv.Itoa(int(port))) }
	var ports sync.WaitGroup
	for use, n := range map[string]int32{"grpc": h.GRPCPort, "proxy": h.ProxyPort, "pieces": h.PiecePort} {
		ports.Go(func() {
			p := e.port(ctx, Port{Target: at(n), Node: h.Name, Role: role, Use: use, Unlisted: !h.Listed})
			if use == "pieces" && !p.Failed.yes() {
				e.httpPaths(ctx, h.Name, at(n))
			}
		})
	}
	ports.Wait()
}

// port connects, and then asks for health.
func (e *examination) port(ctx context.Context, p Port) Port {
	began := time.Now()
	err := e.within(ctx, e.network.Profile.DialTimeout, func(ctx context.Context) error {
		conn, err := e.network.Stack.DialContext(ctx, "tcp", p.Target)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	p.Took, p.Connected = time.Since(began), err == nil
	if err == nil {
		err = e.within(ctx, e.network.Profile.CheckTimeout, func(ctx context.Context) error {
			if p.Use == "grpc" {
				who, err := e.identify(ctx, p.Target, "")
				p.Release, p.Protocol = who.Release, who.Protocol
				return err
			}
			_, err := e.ask(ctx, "http://"+p.Target+"/healthy", 0)
			return err
		})
	}
	p.Failed = failed(err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.facts.Ports = append(e.facts.Ports, p)
	return p
}

func (e *examination) identify(ctx context.Context, target, pad string) (who wire.Identity, err error) {
	conn, err := e.network.Dial(target)
	if err != nil {
		return who, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Identify(ctx, pad)
}
