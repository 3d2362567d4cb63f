// Package evidence writes down what a bed looks like while the patient is still warm:
// its history, and of every node its log, what the engine knows of it, and the state of
// its namespace.
package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"
	"strings"

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
	// Files are what a node was given before its start, by path: its configuration.
	Files(node string) map[string][]byte
	Proxies(ctx context.Context) ([]byte, error)
}

// Keep writes all of p into dir. It goes on past errors and returns them joined: half of
// the evidence is better than none.
func Keep(ctx context.Context, dir string, p Patient) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	keep := func(name string, data []byte, err error) error {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
		return nil
	}
	errs := []error{history.Write(filepath.Join(dir, "history.json"), p.History())}
	proxies, err := p.Proxies(ctx)
	errs = append(errs, keep("toxiproxy.json", proxies, err))
	namespaces := map[string]any{}
	for _, node := range p.Nodes() {
		log, err := p.Log(ctx, node)
		errs = append(errs, keep(node+".log", log, err))
		for path, content := range p.Files(node) {
			errs = append(errs, keep(node+"."+filepath.Base(path), content, nil))
		}
		inspect, err := p.Inspect(ctx, node)
		errs = append(errs, keep(node+".inspect.json", inspect, err))
		if facts, err := p.Facts(ctx, node); err == nil { // a dead node has none
			namespaces[node] = facts
		}
	}
	text, err := json.MarshalIndent(namespaces, "", "  ")
	return errors.Join(append(errs, keep("namespaces.json", text, err))...)
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
