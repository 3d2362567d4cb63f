package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/faultbed/faultbed/harness/report"
)

func TestImagesRefusesWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"images", "--system", "kraken"}, "choose reference or dragonfly"},
		{[]string{"images", "--release", "v2.2.1"}, `release "v2.2.1": the reference system`},
		{[]string{"images", "--system", "dragonfly", "--release", "v9.9.9"}, `release "v9.9.9"`},
	} {
		var stdout, stderr bytes.Buffer
		status := execute(t.Context(), c.args, &stdout, &stderr)
		said := stderr.String()
		if status != report.ExitUsage || !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%v: status %d, said %q and %q, want 64 and one line with %q", c.args, status, said, &stdout, c.want)
		}
	}
}

func TestWantedImagesAreThoseOfTheRelease(t *testing.T) {
	for release, tag := range map[string]string{"": "v2.2.1", "v2.1.67": "v2.1.67"} {
		got, err := wantedImages("dragonfly", release)
		want := []string{"dragonflyoss/dfdaemon:" + tag, "dragonflyoss/manager:" + tag, "dragonflyoss/scheduler:" + tag}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("release %q wants %v, %v; want %v", release, got, err, want)
		}
	}
	if got, err := wantedImages("reference", ""); err != nil || len(got) > 0 {
		t.Errorf("the reference system wants %v, %v", got, err)
	}
}

// registry is an engine that has some images and can pull others.
type registry struct {
	there, here []string
	fails       error

	mu    sync.Mutex
	asked []string
}

func (r *registry) Image(_ context.Context, ref string) (string, bool, error) {
	return "", slices.Contains(r.there, ref), nil
}

func (r *registry) Pull(_ context.Context, ref string, _ func(string)) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ref)
	return slices.Contains(r.here, ref), r.fails
}

func TestObtainPullsOnlyWhatIsMissing(t *testing.T) {
	r := &registry{there: []string{"a:1"}, here: []string{"a:1", "b:1"}}
	got, err := obtain(t.Context(), r, []string{"a:1", "b:1", "c:1"}, func(string) {})
	if want := []string{imageThere, imagePulled, imageMissing}; err != nil || !slices.Equal(got, want) {
		t.Errorf("stands at %v, %v; want %v", got, err, want)
	}
	if got := sorted(r.asked); !slices.Equal(got, []string{"b:1", "c:1"}) {
		t.Errorf("asked the registry for %v", got)
	}
	broken := errors.New("no space left")
	if _, err := obtain(t.Context(), &registry{fails: broken}, []string{"a:1"}, func(string) {}); !errors.Is(err, broken) {
		t.Errorf("a pull that broke ends in %v", err)
	}
}

func TestMissingImagesAreOneLineWithTheWayOut(t *testing.T) {
	err := missingDragonfly([]string{"dragonflyoss/manager:v2.2.1", "dragonflyoss/dfdaemon:v2.2.1"})
	var end exit
	if !errors.As(err, &end) || end.status != report.ExitUsage || strings.Contains(err.Error(), "\n") {
		t.Errorf("missing images end in %v", err)
	}
	for _, want := range []string{
		"images dragonflyoss/manager:v2.2.1, dragonflyoss/dfdaemon:v2.2.1 are not on the engine",
		"docker pull dragonflyoss/manager:v2.2.1 && docker pull dragonflyoss/dfdaemon:v2.2.1",
		"git checkout v2.2.1 && make docker-build D7Y_VERSION=v2.2.1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if n := strings.Count(err.Error(), "git checkout"); n != 1 {
		t.Errorf("one release is built %d times", n)
	}
}
