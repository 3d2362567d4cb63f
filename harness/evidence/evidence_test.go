package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/evidence"
	"github.com/faultbed/faultbed/harness/history"
)

// talkative is a bed of two nodes, the first of which logged that much.
type talkative struct{ log, capture int }

func (talkative) History() history.History {
	return history.History{
		Faults: []history.Fault{{Kind: "drop", Target: "all", Receipt: history.Receipt{Mechanism: "nftables drop", Counters: []history.Counter{{Name: "packets", During: 7}}}}},
		Bypass: map[string]int{"peer-1": 0},
	}
}
func (talkative) Nodes() []string { return []string{"peer-1", "seed-1"} }
func (p talkative) Log(_ context.Context, node string) ([]byte, error) {
	if node == "seed-1" {
		return []byte("hello\n"), nil
	}
	var b bytes.Buffer
	for i := 0; b.Len() < p.log; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.Bytes(), nil
}

func (talkative) Inspect(_ context.Context, node string) ([]byte, error) {
	if node == "seed-1" {
		return nil, errors.New("it is gone")
	}
	return []byte("{}"), nil
}
func (talkative) Facts(context.Context, string) (any, error) { return 1, nil }
func (talkative) Goroutines() map[string][]byte {
	return map[string][]byte{"peer-1": []byte("goroutine 1\n")}
}

func (p talkative) Captures() map[string][]byte {
	return map[string][]byte{"peer-1": make([]byte, p.capture), "seed-1": make([]byte, p.capture)}
}

func (talkative) Files(string) map[string][]byte {
	return map[string][]byte{"/etc/x.yaml": []byte("a: b\n")}
}
func (talkative) Proxies(context.Context) ([]byte, error) { return []byte("{}"), nil }

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEvidenceIsKeptPastErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	err := evidence.Keep(t.Context(), dir, talkative{100, 10})
	if err == nil || err.Error() != "keep seed-1.inspect.json: it is gone" {
		t.Errorf("keep says %v", err)
	}
	for name, says := range map[string]string{
		"peer-1.log": "line 0\n", "seed-1.log": "hello\n", "peer-1.x.yaml": "a: b\n", "peer-1.goroutines.txt": "goroutine 1\n",
		"counters.txt": "drop on all (nftables drop)  packets ", "history.json": `"drop"`, "namespaces.json": `"peer-1": 1`,
	} {
		if text := read(t, dir, name); !strings.Contains(text, says) {
			t.Errorf("%s is %q, want %q in it", name, text, says)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "CUT.txt")); err == nil {
		t.Error("CUT.txt is there, though nothing was cut")
	}
}

func TestEvidenceOfAScenarioIsBoundedAndSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	_ = evidence.Keep(t.Context(), dir, talkative{log: 30 << 20, capture: 11 << 20})
	all := 0
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		all += int(info.Size())
	}
	if all > evidence.AtMost+1000 {
		t.Errorf("%d bytes, want at most %d", all, evidence.AtMost)
	}
	log := read(t, dir, "peer-1.log")
	if !strings.HasPrefix(log, "line 0\n") || !strings.Contains(log, "bytes left out ...\nline ") || len(log) > 3<<20 {
		t.Errorf("of the log %d bytes are left, want its beginning and its end", len(log))
	}
	cut := read(t, dir, "CUT.txt")
	if !strings.Contains(cut, "peer-1.log: ") || !strings.Contains(cut, "seed-1.pcapng: all of its 11534336 bytes") {
		t.Errorf("CUT.txt says %q", cut)
	}
}
