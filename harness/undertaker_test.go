package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Undertake()
	os.Exit(m.Run())
}

func TestUndertakerGoesWhenDismissed(t *testing.T) {
	end, err := startUndertaker("fb-no-session")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); end(true) }()
	select {
	case <-gone:
	case <-time.After(undertakeFor): // as long as it would look for leftovers
		t.Error("it stays")
	}
}

// An engine goes on making what it was asked for when whoever asked has gone: a session that
// is interrupted while it opens leaves nothing all the same.
func TestFaultdOfASessionThatDidNotOpenGoes(t *testing.T) {
	ctx, engine, h := onEngine(t)
	interrupted := map[string]time.Duration{} // by session
	for after := 10 * time.Millisecond; after < time.Second; after += after / 2 {
		opening, interrupt := context.WithTimeout(ctx, after)
		s, opened, err := Open(opening, Options{RunDir: t.TempDir(), System: "reference", Profile: "fast", Repeat: 1, Images: h.Images}, func(string) {})
		interrupt()
		if err == nil {
			must(t, s.Close(ctx))
			continue
		}
		interrupted[opened.ID] = after
	}
	last := time.Now()
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	err := await(ctx, "nothing to be left", Poll, func(ctx context.Context) error {
		all, err := engine.Leftovers(ctx)
		for _, l := range all {
			if after, ours := interrupted[l.Session]; ours {
				err = errors.Join(err, fmt.Errorf("%s of the session interrupted after %s is left", l.Name, after))
			}
		}
		if err == nil && time.Since(last) < undertakeFor {
			err = errors.New("the engine may still be at work")
		}
		return err
	})
	must(t, err)
}

// A program that does not call Undertake would start itself again and again.
func TestUndertakersStartNone(t *testing.T) {
	t.Setenv(UndertakerVariable, "fb-no-session")
	if _, err := startUndertaker("fb-no-session"); err == nil || !strings.Contains(err.Error(), "harness.Undertake") {
		t.Errorf("%v, want a refusal that says what to call", err)
	}
}
