package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/faultbed/faultbed/harness/cluster"
)

// memoryNeeded is what the largest bed takes, with room for the compiler beside it:
// a dozen Go processes of some 30 MiB each, and page cache for what they hold.
const memoryNeeded = 2 << 30

// Problem is something that this machine cannot do, and what to do about it.
type Problem struct {
	What, Fix string
	// Fatal problems stop a run; the others take a single fault away, or are only to
	// be known.
	Fatal bool
}

// String is the problem in one line.
func (p Problem) String() string { return p.What + ": " + p.Fix }

// Probe finds out what the kernel under the engine can do inside a container's
// network namespace: "yes", or the reason why not, by the name of the capability (see
// agent.Client.Capabilities).
type Probe func(ctx context.Context) (map[string]string, error)

// ProbeKernel makes the Probe that opens a session, which tries everything in the
// network namespace of an idle node. It builds images that are missing, and says so
// on progress.
func ProbeKernel(progress func(line string)) Probe {
	return func(ctx context.Context) (can map[string]string, err error) {
		o, err := OptionsFromEnv()
		if err != nil {
			return nil, err
		}
		s, _, err := Open(ctx, o, progress)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(ctx))) }()
		return s.Can, nil
	}
}

// Preflight looks at the machine before anything is started on it. Without a probe
// it asks the engine only, which takes a few milliseconds; a probe starts containers.
func Preflight(ctx context.Context, e *cluster.Engine, probes ...Probe) []Problem {
	info, err := e.Info(ctx)
	if err != nil {
		return []Problem{{What: err.Error(), Fix: "restart the engine: sudo systemctl restart docker", Fatal: true}}
	}
	problems := engineProblems(info)
	leftovers, err := e.Leftovers(ctx)
	if err != nil {
		problems = append(problems, Problem{What: err.Error(), Fix: "restart the engine: sudo systemctl restart docker", Fatal: true})
	}
	problems = append(problems, leftoverProblems(cluster.Dead(leftovers))...)
	for _, probe := range probes {
		can, err := probe(ctx)
		if err != nil {
			problems = append(problems, Problem{
				What: fmt.Sprintf("kernel cannot be probed (%v)", err),
				Fix:  "see whether the engine may grant NET_ADMIN, SYS_ADMIN and SYS_PTRACE to a container", Fatal: true,
			})
			continue
		}
		problems = append(problems, KernelProblems(can)...)
	}
	return problems
}

func engineProblems(info cluster.Info) []Problem {
	var problems []Problem
	if olderThan(info.API, cluster.MinAPI) {
		problems = append(problems, Problem{
			What: fmt.Sprintf("container engine %s speaks API %s, too old", info.Version, info.API),
			Fix:  "install Docker Engine 20.10 (API " + cluster.MinAPI + ") or newer", Fatal: true,
		})
	}
	if info.MemoryBytes < memoryNeeded {
		problems = append(problems, Problem{
			What: fmt.Sprintf("container engine has %d MiB of memory", info.MemoryBytes>>20),
			Fix:  fmt.Sprintf("give it %d MiB or more", memoryNeeded>>20), Fatal: true,
		})
	}
	return problems
}

// olderThan compares API versions, "1.9" being older than "1.41". What is no version
// is older than any.
func olderThan(version, than string) bool {
	number := func(v string) (major, minor int) {
		left, right, _ := strings.Cut(v, ".")
		major, _ = strconv.Atoi(left)
		minor, _ = strconv.Atoi(right)
		return major, minor
	}
	major, minor := number(version)
	thanMajor, thanMinor := number(than)
	return major < thanMajor || major == thanMajor && minor < thanMinor
}

func leftoverProblems(dead []cluster.Leftover) []Problem {
	if len(dead) == 0 {
		return nil
	}
	sessions := map[string]bool{}
	for _, l := range dead {
		sessions[l.Session] = true
	}
	return []Problem{{
		What: fmt.Sprintf("%d containers and networks are left of %d killed runs", len(dead), len(sessions)),
		Fix:  "remove them: make clean",
	}}
}

// needed are the capabilities that no bed can do without, and why.
var needed = map[string]string{
	"nft-dnat-map":    "links cannot be steered through their proxies",
	"nft-ct-original": "links cannot be told apart",
	"nft-reject":      "nothing can be refused",
}

// kernelFix says how to get what a kernel lacks.
const kernelFix = "load the module or use a kernel that has it"

// instead says what is done where a capability is missing and a run can go on.
var instead = map[string]string{
	"netem": "nothing to do: delay and jitter are made by toxiproxy",
}

// KernelProblems are the capabilities that the kernel lacks. Those that every bed
// needs are fatal, asked for or not; the others take away the fault that needs them.
func KernelProblems(can map[string]string) []Problem {
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		if can[name] != "yes" {
			problems = append(problems, Problem{
				What: fmt.Sprintf("kernel lacks %s (%s), %s", name, cmp.Or(can[name], "not probed"), needed[name]), Fix: kernelFix, Fatal: true,
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(can)) {
		if needed[name] == "" && can[name] != "yes" {
			problems = append(problems, Problem{
				What: fmt.Sprintf("kernel lacks %s (%s)", name, can[name]), Fix: cmp.Or(instead[name], kernelFix),
			})
		}
	}
	return problems
}
