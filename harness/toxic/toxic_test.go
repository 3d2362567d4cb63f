package toxic_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/faultbed/faultbed/harness/toxic"
)

// A removal that hangs holds the lock that showing the proxies waits for. Seen red: with one
// call, which gives up after 3 s.
func TestConfigWaitsForARemovalThatHangs(t *testing.T) {
	var calls atomic.Int32
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			<-r.Context().Done() // until who asks gives up
			return
		}
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(control.Close)
	if config, err := toxic.Connect(control.URL).Config(t.Context()); err != nil || string(config) != "{}" {
		t.Errorf("%q, %v", config, err)
	}
}
