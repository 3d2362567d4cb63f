package deadmen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/cluster"
)

// toolWithin bounds one run of a host's tool.
const toolWithin = 10 * time.Second

// tool is a program of the host whose output is compared.
type tool struct {
	section string
	command []string
	lines   func(string) []string
}

// The tools. What they print of rules needs root.
var tools = []tool{
	{SectionNft, []string{"nft", "--stateless", "list", "ruleset"}, nftLines},
	{SectionIptables, []string{"iptables-save"}, iptablesLines},
	{SectionIP6tables, []string{"ip6tables-save"}, iptablesLines},
	{SectionLinks, []string{"ip", "-o", "link", "show"}, linkLines},
	{SectionAddresses, []string{"ip", "-o", "address", "show"}, addressLines},
	{SectionRoutes, []string{"ip", "route", "show", "table", "all"}, linkLines},
}

// host reads snapshots of the machine that this runs on, which has to be the engine's.
type host struct {
	engine *cluster.Engine
	tools  []tool
	sudo   bool
}

// newHost finds out which tools work here, and says of the others why not.
func newHost(ctx context.Context, engine *cluster.Engine) (h *host, missing map[string]string) {
	h, missing = &host{engine: engine, sudo: os.Geteuid() != 0}, map[string]string{}
	for _, t := range tools {
		if _, err := h.run(ctx, t); err != nil {
			missing[t.section] = err.Error()
			continue
		}
		h.tools = append(h.tools, t)
	}
	return h, missing
}

func (h *host) run(ctx context.Context, t tool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolWithin)
	defer cancel()
	command := t.command
	if h.sudo && command[0] != "ip" {
		command = append([]string{"sudo", "-n"}, command...)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // of the list above
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		why, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, why)
	}
	return t.lines(string(out)), nil
}

// read takes a snapshot.
func (h *host) read(ctx context.Context) (Snapshot, error) {
	now := Snapshot{SectionNamespaces: namespaces(), SectionSysctls: steady(settings("/proc/sys/net", "net")), SectionMounts: mounts()}
	for _, t := range h.tools {
		lines, err := h.run(ctx, t)
		if err != nil {
			return nil, err
		}
		now[t.section] = lines
	}
	objects, err := h.engine.Objects(ctx)
	if err != nil {
		return nil, err
	}
	for _, section := range []string{SectionContainers, SectionNetworks, SectionVolumes} {
		now[section] = []string{}
	}
	for _, o := range objects {
		section := map[string]string{
			cluster.KindContainer: SectionContainers, cluster.KindNetwork: SectionNetworks, cluster.KindVolume: SectionVolumes,
		}[o.Kind]
		now[section] = append(now[section], fmt.Sprintf("%s (%.12s)", o.Name, o.ID))
	}
	return now, nil
}

// settings reads the sysctls below a folder, "name = value" each. What cannot be read is
// left out.
func settings(dir, name string) []string {
	var all []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // an interface that goes takes its settings along
		}
		value, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // some can only be written
		}
		setting := strings.ReplaceAll(strings.TrimPrefix(path, dir), "/", ".")
		all = append(all, fmt.Sprintf("%s%s = %s", name, setting, strings.Join(strings.Fields(string(value)), " ")))
		return nil
	})
	return all
}

// namespaces are the network namespaces that the engine keeps alive: those that are
// mounted somewhere, and those that a process of its, or of a container, is in or holds
// open. What others do in namespaces of their own is no business of ours. Nor are the
// empty files under /run/docker/netns, where namespaces were mounted: the engine takes
// them away once a minute.
func namespaces() []string {
	found := map[string]bool{}
	text, _ := os.ReadFile("/proc/self/mountinfo") // none is none
	for _, line := range lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 3 && strings.HasPrefix(fields[3], "net:[") {
			found[fields[3]] = true
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, dir := range processes {
		if !ofEngine(dir) {
			continue
		}
		descriptors, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
		for _, path := range append(descriptors, filepath.Join(dir, "ns", "net")) {
			if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, "net:[") {
				found[target] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// engines begin the names of an engine's own processes, and are in the names of the
// control groups of its containers.
var engines = []string{"docker", "containerd", "runc"}

func ofEngine(process string) bool {
	name, _ := os.ReadFile(filepath.Join(process, "comm")) // one that has ended is nobody's
	groups, _ := os.ReadFile(filepath.Join(process, "cgroup"))
	return slices.ContainsFunc(engines, func(engine string) bool {
		return bytes.HasPrefix(name, []byte(engine)) || bytes.Contains(groups, []byte("/"+engine))
	})
}

// mounts are the places where something is mounted.
func mounts() []string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	all := lines(string(text))
	for i, line := range all {
		if fields := strings.Fields(line); len(fields) > 4 {
			all[i] = fields[4]
		}
	}
	return all
}

// errRemote says that the machine at hand is not the one that carries the beds.
var errRemote = errors.New("the engine is on another machine: run this where it is")
