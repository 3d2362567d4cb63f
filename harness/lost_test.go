package harness

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/onsi/gomega"
)

// lostBed is a bed of a session that can lose its faultd.
func lostBed(t *testing.T) (*Bed, context.CancelCauseFunc) {
	t.Helper()
	s := &Session{ID: "fb-1"}
	s.alive, s.lose = context.WithCancelCause(t.Context())
	return &Bed{tb: t, session: s}, s.lose
}

func TestALostFaultdIsTheFirstTrouble(t *testing.T) {
	b, lose := lostBed(t)
	b.trouble(errors.New("before"))
	lose(errors.New("faultd is gone: killed"))
	b.trouble(errors.New("cannot count"))
	b.trouble(errors.New("cannot audit"))
	b.trouble(nil)
	want := []string{"faultd is gone: killed", "before", "cannot count", "cannot audit"}
	if !slices.Equal(b.history.Trouble, want) {
		t.Errorf("trouble %q, want %q", b.history.Trouble, want)
	}
}

func TestNobodyWaitsForALostFaultd(t *testing.T) {
	b, lose := lostBed(t)
	odd := errors.New("odd")
	if err := b.final(odd); !errors.Is(err, odd) {
		t.Errorf("%v, want the observation's own error", err)
	}
	ctx, release := b.session.unlessLost(t.Context())
	defer release()
	lose(errors.New("faultd is gone: killed"))
	<-ctx.Done()
	if err := context.Cause(ctx); err == nil || err.Error() != "faultd is gone: killed" {
		t.Errorf("the wait ended with %v", err)
	}
	for _, err := range []error{nil, odd} {
		if _, ends := b.final(err).(gomega.PollingSignalError); !ends { //nolint:errorlint // that is how gomega looks at it
			t.Errorf("after %v an Eventually goes on: %v", err, b.final(err))
		}
	}
}
