package harness

import (
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
	dismiss, err := startUndertaker("fb-no-session")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); dismiss() }()
	select {
	case <-gone:
	case <-time.After(undertakeFor): // as long as it would look for leftovers
		t.Error("it stays")
	}
}

// A program that does not call Undertake would start itself again and again.
func TestUndertakersStartNone(t *testing.T) {
	t.Setenv(UndertakerVariable, "fb-no-session")
	if _, err := startUndertaker("fb-no-session"); err == nil || !strings.Contains(err.Error(), "harness.Undertake") {
		t.Errorf("%v, want a refusal that says what to call", err)
	}
}
