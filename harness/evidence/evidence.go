// Package evidence writes down what a bed looks like while the patient is still warm:
// its history, and of every node its log, what the engine knows of it, and the state of
// its namespace.
package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/faultbed/faultbed/harness/history"
)

// Patient is a bed at the end of its scenario.
type Patient interface {
	History() history.History
	// Nodes are the names of the nodes that were started.
	Nodes() []string
	// Log, Inspect and Facts are what a node printed, what the engine knows of it, and
	// the state of its namespace; Proxies is toxiproxy's own view of all links.
	Log(ctx context.Context, node string) ([]byte, error)
	Inspect(ctx context.Context, node string) ([]byte, error)
	Facts(ctx context.Context, node string) (any, error)
	// Goroutines are where those of nodes of our own stood when the scenario had just gone
	// wrong, by node, and Captures their packets as pcapng; none of one that passed.
	Goroutines() map[string][]byte
	Captures() map[string][]byte
	// Files are what a node was given before its start, by path: its configuration.
	Files(node string) map[string][]byte
	Proxies(ctx context.Context) ([]byte, error)
}

// What a scenario's folder may hold, in bytes, and what of it logs, goroutines and captures
// of all nodes together may: what is left is for files that are small by nature.
const (
	AtMost           = 20 << 20
	logsAtMost       = 5 << 20
	goroutinesAtMost = 2 << 20
	capturesAtMost   = 10 << 20
)

// folder is where evidence goes, and what was cut on the way.
type folder struct {
	dir  string
	left int // of AtMost
	cut  []string
	errs []error
}

// keep writes a file, or notes why not.
func (f *folder) keep(name string, data []byte, err error) {
	if err == nil && len(data) > f.left {
		f.cut = append(f.cut, fmt.Sprintf("%s: all of its %d bytes: the folder is full", name, len(data)))
		return
	}
	if err == nil {
		f.left -= len(data)
		err = os.WriteFile(filepath.Join(f.dir, name), data, 0o644)
	}
	if err != nil {
		f.errs = append(f.errs, fmt.Errorf("keep %s: %w", name, err))
	}
}

// keepText writes a text of at most so many bytes: its beginning and more of its end.
func (f *folder) keepText(name string, text []byte, atMost int, err error) {
	short, lost := shorten(text, atMost)
	if lost > 0 {
		f.cut = append(f.cut, fmt.Sprintf("%s: %d of %d bytes, from its middle", name, lost, len(text)))
	}
	f.keep(name, short, err)
}

// Keep writes all of p into dir, at most AtMost bytes; what that leaves out is said in
// CUT.txt. It goes on past errors and returns them joined: half of the evidence is better
// than none.
func Keep(ctx context.Context, dir string, p Patient) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	f := &folder{dir: dir, left: AtMost}
	h := p.History()
	text, err := json.MarshalIndent(h, "", "  ")
	f.keep("history.json", text, err)
	f.keep("counters.txt", counters(h), nil)
	nodes := p.Nodes()
	each := max(len(nodes), 1)
	namespaces := map[string]any{}
	for _, node := range nodes {
		log, err := p.Log(ctx, node)
		f.keepText(node+".log", log, logsAtMost/each, err)
		for path, content := range p.Files(node) {
			f.keep(node+"."+filepath.Base(path), content, nil)
		}
		inspect, err := p.Inspect(ctx, node)
		f.keep(node+".inspect.json", inspect, err)
		if facts, err := p.Facts(ctx, node); err == nil { // a dead node has none
			namespaces[node] = facts
		}
	}
	text, err = json.MarshalIndent(namespaces, "", "  ")
	f.keep("namespaces.json", text, err)
	proxies, err := p.Proxies(ctx)
	f.keep("toxiproxy.json", proxies, err)
	dumps := p.Goroutines()
	for _, node := range slices.Sorted(maps.Keys(dumps)) {
		f.keepText(node+".goroutines.txt", dumps[node], goroutinesAtMost/len(dumps), nil)
	}
	captures := p.Captures()
	for _, node := range slices.Sorted(maps.Keys(captures)) {
		f.keep(node+".pcapng", captures[node], nil)
	}
	if len(f.cut) > 0 {
		said := fmt.Sprintf("Left out, so that a scenario keeps no more than %d MiB:\n%s\n", AtMost>>20, strings.Join(f.cut, "\n"))
		f.left = AtMost // it is to be read whatever else is
		f.keep("CUT.txt", []byte(said), nil)
	}
	return errors.Join(f.errs...)
}

// CaptureAtMost is how many bytes the capture of one of so many nodes may have.
func CaptureAtMost(nodes int) int { return capturesAtMost / max(nodes, 1) }

// shorten leaves out lines from the middle of a text that is too long, and says so there.
func shorten(text []byte, atMost int) (short []byte, lost int) {
	if len(text) <= atMost {
		return text, 0
	}
	head, tail := text[:atMost/4], text[len(text)-atMost/2:]
	if i := bytes.LastIndexByte(head, '\n'); i >= 0 {
		head = head[:i+1]
	}
	if i := bytes.IndexByte(tail, '\n'); i >= 0 {
		tail = tail[i+1:]
	}
	lost = len(text) - len(head) - len(tail)
	return slices.Concat(head, fmt.Appendf(nil, "... %d bytes left out ...\n", lost), tail), lost
}

// counters are what kernels counted for each fault, and connections around links.
func counters(h history.History) []byte {
	var b bytes.Buffer
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "fault\tcounter\tbefore\tduring\tafter")
	for _, f := range h.Faults {
		for _, c := range f.Receipt.Counters {
			fmt.Fprintf(out, "%s on %s (%s)\t%s\t%d\t%d\t%d\n", f.Kind, f.Target, f.Receipt.Mechanism, c.Name, c.Before, c.During, c.After)
		}
	}
	for _, node := range slices.Sorted(maps.Keys(h.Bypass)) {
		fmt.Fprintf(out, "-\tconnections of %s around their links\t\t\t%d\n", node, h.Bypass[node])
	}
	_ = out.Flush() // into memory
	return b.Bytes()
}

var notInSlug = regexp.MustCompile(`[^a-z0-9]+`)

// longestSlug keeps clear of the 255 bytes at which file systems end a name.
const longestSlug = 120

// Slug makes a file name of a scenario's name. What is cut off is told apart by a hash.
func Slug(name string) string {
	slug := strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(slug) <= longestSlug {
		return slug
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s-%08x", slug[:longestSlug], h.Sum32())
}
