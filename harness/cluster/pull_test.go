package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// engineThat is an engine that answers a pull with handler and knows nothing else.
func engineThat(t *testing.T, handler http.HandlerFunc) *Engine {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1.41/images/create", handler)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := client.New(client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithAPIVersion(MinAPI))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &Engine{client: c}
}

// says writes a stream's messages one by one, as the engine does.
func says(w http.ResponseWriter, messages ...string) {
	for _, m := range messages {
		fmt.Fprintln(w, m)
		w.(http.Flusher).Flush()
	}
}

// silent holds an answer back until the client has gone.
func silent(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestPullTellsRefusalFromFailure(t *testing.T) {
	const begun = `{"status":"Pulling from library/redis"}`
	short := patience{first: 100 * time.Millisecond, next: 100 * time.Millisecond}
	long := patience{first: time.Minute, next: time.Minute}
	for name, c := range map[string]struct {
		patience        patience
		answer          func(w http.ResponseWriter, r *http.Request)
		refusal, failed string
	}{
		"it comes": {patience: long, answer: func(w http.ResponseWriter, _ *http.Request) {
			says(w, begun, `{"status":"Status: Downloaded newer image"}`)
		}},
		"no registry": {patience: long, refusal: "no such host", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			says(w, `{"message":"lookup registry-1.docker.io: no such host"}`)
		}},
		"no such image": {patience: long, refusal: "manifest unknown", answer: func(w http.ResponseWriter, _ *http.Request) {
			says(w, begun, `{"errorDetail":{"code":404,"message":"manifest unknown"},"error":"manifest unknown"}`)
		}},
		"silence at first": {patience: short, refusal: "no registry answers", answer: func(_ http.ResponseWriter, r *http.Request) {
			silent(r)
		}},
		"silence behind headers": {patience: short, refusal: "no registry answers", answer: func(w http.ResponseWriter, r *http.Request) {
			says(w, "")
			silent(r)
		}},
		"silence in the middle": {patience: short, failed: "went silent", answer: func(w http.ResponseWriter, r *http.Request) {
			says(w, begun)
			silent(r)
		}},
		"a full disk": {patience: long, failed: "no space left", answer: func(w http.ResponseWriter, _ *http.Request) {
			says(w, begun, `{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}`)
		}},
		"cut off": {patience: long, failed: "read the engine's answer", answer: func(w http.ResponseWriter, _ *http.Request) {
			says(w, begun, `{"status":"Downlo`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			refusal, err := engineThat(t, c.answer).pull(t.Context(), "redis:6-alpine", c.patience)
			if !speaks(refusal, c.refusal) || !speaks(err, c.failed) {
				t.Errorf("refused with %v, failed with %v, want %q and %q", refusal, err, c.refusal, c.failed)
			}
		})
	}
}

// speaks says whether err contains word, or is nil for none.
func speaks(err error, word string) bool {
	if err == nil || word == "" {
		return err == nil && word == ""
	}
	return strings.Contains(err.Error(), word)
}

func TestPullKeepsOnWhileTheRegistrySpeaks(t *testing.T) {
	p := patience{first: 200 * time.Millisecond, next: 200 * time.Millisecond}
	e := engineThat(t, func(w http.ResponseWriter, _ *http.Request) {
		tick := time.NewTicker(p.next / 4)
		defer tick.Stop()
		for range 12 { // three times as long as it may be silent
			<-tick.C
			says(w, `{"status":"Downloading"}`)
		}
	})
	if refusal, err := e.pull(t.Context(), "redis:6-alpine", p); refusal != nil || err != nil {
		t.Errorf("a slow pull ends in %v, %v", refusal, err)
	}
}

func TestPullOfAnInterruptedCallerFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := engineThat(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); silent(r) })
	if pulled, err := e.Pull(ctx, "redis:6-alpine", func(string) {}); pulled || !speaks(err, "pull image redis:6-alpine: context canceled") {
		t.Errorf("an interrupted pull ends in %v, %v", pulled, err)
	}
}

func TestPullSaysWhyInOneLine(t *testing.T) {
	e := engineThat(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		says(w, `{"message":"manifest unknown\nsecond"}`)
	})
	var said []string
	pulled, err := e.Pull(t.Context(), "redis:0", func(line string) { said = append(said, line) })
	if pulled || err != nil {
		t.Errorf("an image that is not to be had ends in %v, %v", pulled, err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "redis:0: not to be had") || !strings.Contains(said[0], "manifest unknown") || strings.Contains(said[0], "second") {
		t.Errorf("said %q", said)
	}
}

func TestPullWithoutAnEngineFails(t *testing.T) {
	c, err := client.New(client.WithHost("tcp://127.0.0.1:1"), client.WithAPIVersion(MinAPI))
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{client: c}
	if pulled, err := e.Pull(t.Context(), "redis:6-alpine", func(string) {}); pulled || err == nil {
		t.Errorf("without an engine a pull ends in %v, %v", pulled, err)
	}
}
