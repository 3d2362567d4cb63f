package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// fakeEngine answers what Leftovers and Remove ask, and remembers what was deleted.
type fakeEngine struct {
	mu      sync.Mutex
	deleted []string
	refuse  map[string]refusal // by the path's last word; each counts down
}

type refusal struct {
	status, times int
	message       string
}

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodDelete:
		f.remove(w, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	case strings.HasSuffix(r.URL.Path, "/containers/json"):
		fmt.Fprint(w, `[{"Id":"0123456789abcdef","Names":["/node"],"State":"running","Created":1,"Labels":{"org.faultbed.session":"s1","org.faultbed.role":"faultd"}}]`)
	case strings.HasSuffix(r.URL.Path, "/networks"):
		fmt.Fprint(w, `[{"Id":"n1","Name":"bed","Created":"2026-01-02T03:04:05Z","Labels":{"org.faultbed.session":"s2"}}]`)
	}
}

func (f *fakeEngine) remove(w http.ResponseWriter, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.refuse[id]; r.times > 0 {
		r.times--
		f.refuse[id] = r
		w.WriteHeader(r.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": r.message})
		return
	}
	f.deleted = append(f.deleted, id)
	w.WriteHeader(http.StatusNoContent)
}

func connectFake(t *testing.T, fake http.Handler) *Engine {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	c, err := client.New(client.WithHost("tcp://" + server.Listener.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{client: c}
}

func TestLeftoversOfAllSessions(t *testing.T) {
	got, err := connectFake(t, &fakeEngine{}).Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Leftover{
		{Kind: KindContainer, ID: "0123456789abcdef", Name: "node", Session: "s1", Role: RoleFaultd, Created: time.Unix(1, 0), Running: true},
		{Kind: KindNetwork, ID: "n1", Name: "bed", Session: "s2", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if dead := Dead(got); len(dead) != 1 || dead[0].Session != "s2" {
		t.Errorf("dead are %v, want the network of s2 only: the faultd of s1 runs", dead)
	}
}

func TestRemoveTakesContainersBeforeNetworks(t *testing.T) {
	fake := &fakeEngine{refuse: map[string]refusal{
		"gone":  {status: http.StatusNotFound, times: 9, message: "No such container: gone"},
		"going": {status: http.StatusConflict, times: 9, message: "removal of container going is already in progress"},
		"busy":  {status: http.StatusForbidden, times: 2, message: "network busy has active endpoints"},
	}}
	err := connectFake(t, fake).Remove(t.Context(), []Leftover{
		{Kind: KindNetwork, ID: "busy"},
		{Kind: KindContainer, ID: "c1"},
		{Kind: KindContainer, ID: "gone"},
		{Kind: KindContainer, ID: "going"},
	})
	if err != nil {
		t.Errorf("what is gone or going is no error, and a busy network is tried again: %v", err)
	}
	if want := []string{"c1", "busy"}; !slices.Equal(fake.deleted, want) {
		t.Errorf("deleted %v, want %v", fake.deleted, want)
	}
}

func TestRemoveNamesWhatStays(t *testing.T) {
	fake := &fakeEngine{refuse: map[string]refusal{
		"c1": {status: http.StatusInternalServerError, times: 9, message: "disk on fire"},
		"n1": {status: http.StatusForbidden, times: 9, message: "pre-defined network"},
	}}
	err := connectFake(t, fake).Remove(t.Context(), []Leftover{
		{Kind: KindContainer, ID: "c1", Name: "node"},
		{Kind: KindNetwork, ID: "n1", Name: "bed"},
		{Kind: KindContainer, ID: "c2"},
	})
	for _, part := range []string{"remove container node", "disk on fire", "remove network bed", "pre-defined"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not say %q", err, part)
		}
	}
	if !slices.Equal(fake.deleted, []string{"c2"}) {
		t.Errorf("deleted %v, want c2 in spite of the others", fake.deleted)
	}
}

func TestFaultdThatNeverStartedHoldsNoSession(t *testing.T) {
	for _, c := range []struct {
		state container.ContainerState
		age   time.Duration
		want  bool
	}{
		{container.StateRunning, time.Hour, true},
		{container.StatePaused, time.Hour, true},
		{container.StateCreated, time.Second, true},
		{container.StateCreated, time.Hour, false},
		{container.StateExited, time.Second, false},
	} {
		if got := running(c.state, c.age); got != c.want {
			t.Errorf("%s for %s: running %v, want %v", c.state, c.age, got, c.want)
		}
	}
}

func TestOnlyOlderImagesOfAKindAreSuperseded(t *testing.T) {
	at := func(tag string, hour int) Leftover {
		return Leftover{Kind: KindImage, ID: tag, Name: tag, Created: time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)}
	}
	got := superseded([]Leftover{
		at("faultbed/peer:2.1.0-aaaaaaaaaaaa", 1), at("faultbed/peer:2.2.1-aaaaaaaaaaaa", 2), at("faultbed/peer:2.2.1-bbbbbbbbbbbb", 1),
		at("faultbed/origin:aaaaaaaaaaaa", 1), at("faultbed/origin:bbbbbbbbbbbb", 2), at("faultbed/faultd:aaaaaaaaaaaa", 1),
	})
	want := []Leftover{at("faultbed/peer:2.2.1-bbbbbbbbbbbb", 1), at("faultbed/origin:aaaaaaaaaaaa", 1)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
