package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// EvidenceDir is the folder of a scenario's evidence, relative to the run's.
func (s *Session) EvidenceDir(scenario string) string {
	dir := filepath.Join("evidence", Slug(scenario))
	if s.Repeat > 1 {
		dir += fmt.Sprintf("-%d", s.Repeat)
	}
	return dir
}

// keepEvidence writes down what the patient looks like while it is still warm: the
// history, and of every node its log, what the engine knows of it, and its namespace.
func (b *Bed) keepEvidence(ctx context.Context) error {
	dir := filepath.Join(b.session.RunDir, b.session.EvidenceDir(b.tb.Name()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	keep := func(name string, data []byte, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	errs := []error{history.Write(filepath.Join(dir, "history.json"), b.History())}
	if b.streams != nil {
		config, err := b.streams.Config(ctx)
		errs = append(errs, keep("toxiproxy.json", config, err))
	}
	facts := map[string]any{}
	for name, n := range b.nodes {
		if n.container == nil {
			continue
		}
		log, err := b.session.Engine.Logs(ctx, n.container.ID)
		errs = append(errs, keep(name+".log", log, err))
		inspect, err := b.session.Engine.Inspect(ctx, n.container.ID)
		errs = append(errs, keep(name+".inspect.json", inspect, err))
		if f, err := b.session.Agent.Facts(ctx, n.container.ID); err == nil { // a killed node has none
			facts[name] = f
		}
	}
	text, err := json.MarshalIndent(facts, "", "  ")
	return errors.Join(append(errs, keep("namespaces.json", text, err))...)
}

var notInSlug = regexp.MustCompile(`[^a-z0-9]+`)

// Slug makes a file name of a scenario's name.
func Slug(name string) string {
	slug := strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(name), "-"), "-")
	const longest = 120 // file systems end at 255 with what is put around it
	return slug[:min(len(slug), longest)]
}
