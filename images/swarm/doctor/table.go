package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
)

// Report is what --json prints.
type Report struct {
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

// WriteJSON prints findings as one line of JSON.
func WriteJSON(w io.Writer, findings []Finding) error {
	if err := json.NewEncoder(w).Encode(Report{Healthy(findings), findings}); err != nil {
		return fmt.Errorf("print findings: %w", err)
	}
	return nil
}

// WriteTable prints findings for people: one row each, and below it the cure.
func WriteTable(w io.Writer, findings []Finding) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CHECK\tTARGET\tRESULT\tFACT")
	problems := 0
	for _, f := range findings {
		target := f.Target
		if f.Node != "" {
			target += " (" + f.Node + ")"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Check, target, f.Result, f.Fact)
		if f.Cure != "" {
			_, _ = fmt.Fprintf(t, "\t\t\t-> %s\n", f.Cure)
		}
		if f.Result == Problem {
			problems++
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print findings: %w", err)
	}
	if _, err := fmt.Fprintf(w, "\n%d checks, %d problems\n", len(findings), problems); err != nil {
		return fmt.Errorf("print findings: %w", err)
	}
	return nil
}

// Log says each finding that is not well in one line.
func Log(ctx context.Context, log *slog.Logger, findings []Finding) {
	for _, f := range findings {
		level := slog.LevelWarn
		if f.Result == Problem {
			level = slog.LevelError
		}
		if f.Result != OK {
			log.Log(ctx, level, "doctor", "check", f.Check, "target", f.Target, "node", f.Node, "result", f.Result, "fact", f.Fact, "cure", f.Cure)
		}
	}
}
