package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
)

func get(t *testing.T, url, ranges string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranges != "" {
		request.Header.Set("Range", ranges)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// Seen red by not counting, by ignoring the rate, and by ignoring the fault.
func TestOriginServesCountsAndPaces(t *testing.T) {
	server := httptest.NewServer(newOrigin(8<<10, 0).routes())
	defer server.Close()
	url := server.URL + "/files/" + fixtures.Manifest.Name
	started := time.Now()
	status, body := get(t, url, "")
	sum := sha256.Sum256(body)
	if status != http.StatusOK || hex.EncodeToString(sum[:]) != fixtures.Manifest.SHA256 {
		t.Errorf("status %d, %d bytes", status, len(body))
	}
	// 4 KiB at 8 KiB/s are due after half a second, the last tenth leaves at once.
	if took := time.Since(started); took < 300*time.Millisecond {
		t.Errorf("paced content came within %s", took)
	}
	if status, part := get(t, url, "bytes=10-19"); status != http.StatusPartialContent || string(part) != string(body[10:20]) {
		t.Errorf("range: status %d, %d bytes", status, len(part))
	}
	if status, _ := get(t, server.URL+"/files/none", ""); status != http.StatusNotFound {
		t.Errorf("unknown file: status %d", status)
	}
	if _, zeros := get(t, server.URL+"/probe?bytes=1200", ""); len(zeros) != 1200 {
		t.Errorf("probe gave %d bytes", len(zeros))
	}
	if status, _ := get(t, url+"?fault=403", ""); status != http.StatusForbidden {
		t.Errorf("fault: status %d", status)
	}
	var stats Stats
	_, raw := get(t, server.URL+"/stats", "")
	if err := json.Unmarshal(raw, &stats); err != nil {
		t.Fatal(err)
	}
	refusal := int64(len("Forbidden\n"))
	want := Traffic{Requests: 3, Bytes: fixtures.Manifest.Size + 10 + refusal}
	if stats.Traffic != want || stats.ByClient["127.0.0.1"] != want || stats.ByFile[fixtures.Manifest.Name] != want {
		t.Errorf("stats %s", raw)
	}
}
