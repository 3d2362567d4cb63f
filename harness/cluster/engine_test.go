package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConnectSaysInOneLineWhatToDo(t *testing.T) {
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.30")
	}))
	defer old.Close()
	for host, want := range map[string]string{
		"unix://" + filepath.Join(t.TempDir(), "none.sock"): "sudo systemctl start docker",
		"tcp://127.0.0.1:1":                     "set DOCKER_HOST",
		"nonsense":                              "check DOCKER_HOST",
		"tcp://" + old.Listener.Addr().String(): "install Docker Engine 20.10",
	} {
		t.Setenv("DOCKER_HOST", host)
		_, err := Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want one line with %q", host, err, want)
		}
	}
}

func TestExplainPicksTheRemedy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("dial unix /var/run/docker.sock: connect: %w", os.ErrPermission), "usermod -aG docker"},
		{fmt.Errorf("check host: permission denied while trying to connect\nsecond"), "usermod -aG docker"},
		{fmt.Errorf("ping: %w", context.DeadlineExceeded), "systemctl restart docker"},
		{fmt.Errorf("socket not found"), "systemctl start docker"},
		{fmt.Errorf("something else"), "check DOCKER_HOST"},
	} {
		if got := explain(c.err).Error(); !strings.Contains(got, c.want) || strings.Contains(got, "second") {
			t.Errorf("%v is explained as %q, want %q in one line", c.err, got, c.want)
		}
	}
}

func TestContextHostFollowsTheDockerCommand(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("DOCKER_CONTEXT", "")
	if got := contextHost(); got != "" {
		t.Errorf("without a config the host is %q", got)
	}
	write(t, filepath.Join(dir, "config.json"), `{"currentContext":"desktop"}`)
	// The folder is the sha256 of the name.
	write(t, filepath.Join(dir, "contexts/meta/68693d02ab4fbb2331b8cc39915322e48e61f06d4d1b31e7d19913202857bc8a/meta.json"),
		`{"Name":"desktop","Endpoints":{"docker":{"Host":"unix:///home/me/desktop.sock"}}}`)
	if got, want := contextHost(), "unix:///home/me/desktop.sock"; got != want {
		t.Errorf("host is %q, want %q", got, want)
	}
	t.Setenv("DOCKER_CONTEXT", "default")
	if got := contextHost(); got != "" {
		t.Errorf("DOCKER_CONTEXT=default: host is %q, want the usual search", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
