package swarm_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/dfget"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// slice is a part of a fixture's content.
func slice(t *testing.T, file fixtures.File, offset, length int64) []byte {
	t.Helper()
	r := fixtures.Reader(file)
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(io.LimitReader(r, length))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (p *peer) request(file fixtures.File) dfget.Request {
	return dfget.Request{
		URL: p.b.origin.url(file), Output: filepath.Join(p.dir, "out"), Digest: file.SHA256,
		Socket: filepath.Join(p.dir, "s"), Timeout: 25 * time.Second, Capabilities: p.can, Profile: p.b.timers,
	}
}

// Seen red by taking all pieces for needed.
func TestPartCostsOnlyItsPieces(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.peer(21, stable, false, 1)
	file := fixtures.Layer4M // of pieces of 256 KiB
	request := p.request(file)
	const size = 256 << 10
	get := func(part piece.Part, offset, length, pieces int64) {
		t.Helper()
		before := b.origin.bytes.Load()
		request.Part = part
		r := dfget.Get(t.Context(), request)
		got, err := os.ReadFile(request.Output)
		if !r.OK || err != nil || !bytes.Equal(got, slice(t, file, offset, length)) || r.From.Origin != pieces*size {
			t.Errorf("%+v: %+v, %d bytes, %v", part, r, len(got), err)
		}
		// The origin counts what it has written a moment after it was read.
		eventually(t, time.Second, fmt.Sprintf("%d pieces counted", pieces), func() (string, bool) {
			cost := b.origin.bytes.Load() - before
			return fmt.Sprint(cost), cost >= pieces*size
		})
		// The length has to be learned once, for one byte.
		if cost := b.origin.bytes.Load() - before; cost > pieces*size+1 {
			t.Errorf("%+v cost the origin %d bytes", part, cost)
		}
	}
	get(piece.Part{Offset: 5*size + 10, Length: size}, 5*size+10, size, 2)
	get(piece.Part{Offset: 5*size + 99, Length: 9}, 5*size+99, 9, 0)
	get(piece.Part{Offset: file.Size - 10}, file.Size-10, 10, 1)
	get(piece.Part{}, 0, file.Size, 13)
	request.Part = piece.Part{Offset: file.Size}
	if r := dfget.Get(t.Context(), request); r.OK || r.ExitCode() != dfget.ExitFailed || !strings.Contains(r.Error, "no such part: it has 4194304 bytes") {
		t.Errorf("behind the end: %+v", r)
	}
}

// Seen red by letting every peer preheat, and by answering as soon as it is begun.
func TestPreheatBringsAFileToTheSeed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11)
	seed, p := b.peer(11, stable, true, 1), b.peer(21, stable, false, 1)
	b.counts(s, 2, timers.Fast.RejoinWithin())
	file := fixtures.Layer4M
	request := seed.request(file)
	var told []int64
	request.Progress = func(come, total int64) {
		if total >= 0 {
			told = append(told, come)
		}
	}
	r := dfget.Preheat(t.Context(), request)
	if !r.OK || r.SHA256 != file.SHA256 || r.Bytes != file.Size || r.From.Origin != file.Size {
		t.Errorf("preheating: %+v", r)
	}
	if _, err := os.Stat(request.Output); err == nil {
		t.Error("preheating left a file")
	}
	b.announced(s, seed, file, 16)
	if r := p.mustGet(file); r.From.Seeds != file.Size {
		t.Errorf("not from the seed that was preheated: %+v", r)
	}
	if got := b.origin.bytes.Load(); got != file.Size {
		t.Errorf("the origin served %d bytes", got)
	}
	if r := dfget.Preheat(t.Context(), p.request(fixtures.Layer1M)); r.OK || !strings.Contains(r.Error, "this peer is no seed") {
		t.Errorf("a peer that is no seed: %+v", r)
	}
	bad := seed.request(fixtures.Layer1M)
	bad.Digest = file.SHA256
	if r := dfget.Preheat(t.Context(), bad); r.ExitCode() != dfget.ExitDigest {
		t.Errorf("with a wrong digest: %+v", r)
	}
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask makes one request of a peer's proxy port; with an absolute URL as a proxy is asked.
func (p *peer) ask(method, target string, header map[string]string) (answer, error) {
	p.b.t.Helper()
	proxy := &url.URL{Scheme: "http", Host: p.Host().GetIp() + ":65001"}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	if strings.HasPrefix(target, "/") {
		target = proxy.String() + target
	} else {
		transport.Proxy = http.ProxyURL(proxy)
	}
	request, err := http.NewRequestWithContext(p.b.t.Context(), method, target, nil)
	if err != nil {
		p.b.t.Fatal(err)
	}
	for k, v := range header {
		request.Header.Set(k, v)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

// Seen red by ignoring ranges, by answering 502 for whatever the origin says, and
// without a mirror.
func TestProxyServesFilesAndRanges(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	cfg := b.peerConfig(21, stable, false, 1)
	cfg.Mirror = "http://" + b.origin.addr
	p := b.start(cfg)
	file := fixtures.Layer4M
	all := slice(t, file, 0, file.Size)
	absolute, missing := b.origin.url(file), b.origin.url(fixtures.File{Name: "missing"})
	whole := fmt.Sprint(file.Size)
	for _, c := range []struct {
		name, method, target string
		header               map[string]string
		status               int
		body                 []byte
		want                 map[string]string
	}{
		{"head of what nobody has", "HEAD", absolute, nil, 200, nil, map[string]string{"Content-Length": whole, "Accept-Ranges": "bytes"}},
		{
			"range", "GET", absolute,
			map[string]string{"Range": "bytes=300000-300009"},
			206, all[300000:300010],
			map[string]string{"Content-Range": "bytes 300000-300009/" + whole, "Content-Length": "10", "X-Swarm-Task": piece.TaskID(absolute, "")},
		},
		{"open range", "GET", absolute, map[string]string{"Range": "bytes=4194300-"}, 206, all[4194300:], map[string]string{"Content-Range": "bytes 4194300-4194303/" + whole}},
		{"the end", "GET", absolute, map[string]string{"Range": "bytes=-3"}, 206, all[4194301:], map[string]string{"Content-Range": "bytes 4194301-4194303/" + whole}},
		{"beyond the end", "GET", absolute, map[string]string{"Range": "bytes=4194304-"}, 416, nil, map[string]string{"Content-Range": "bytes */" + whole}},
		{"several ranges", "GET", absolute, map[string]string{"Range": "bytes=0-1,5-6"}, 200, all, map[string]string{"Content-Length": whole}},
		{"range on a condition", "GET", absolute, map[string]string{"Range": "bytes=0-1", "If-Range": `"x"`}, 200, all, nil},
		{"whole", "GET", absolute, nil, 200, all, map[string]string{"Content-Length": whole, "X-Swarm-Peer": "peer-21", "Content-Range": ""}},
		{"by the mirror", "GET", "/files/layer-4m", map[string]string{"Range": "bytes=7-8"}, 206, all[7:9], map[string]string{"X-Swarm-Task": piece.TaskID(absolute, "")}},
		{"head by the mirror", "HEAD", "/files/layer-4m", nil, 200, nil, map[string]string{"Content-Length": whole}},
		{"promised", "GET", absolute, map[string]string{"X-Swarm-Digest": "sha256:" + file.SHA256}, 200, all, map[string]string{"X-Swarm-Task": piece.TaskID(absolute, file.SHA256)}},
		{"no promise", "GET", absolute, map[string]string{"X-Swarm-Digest": "x"}, 400, nil, nil},
		{"missing", "GET", missing, nil, 404, nil, nil},
		{"missing by the mirror", "GET", "/files/missing", nil, 404, nil, nil},
		{"head of a missing one", "HEAD", missing, nil, 404, nil, nil},
		{"another method", "POST", absolute, nil, 405, nil, map[string]string{"Allow": "GET, HEAD"}},
		{"nobody there", "GET", "http://" + b.addr(249) + ":1/f", nil, 502, nil, nil},
		{"health", "GET", "/healthy", nil, 200, []byte("ok\n"), nil},
	} {
		got, err := p.ask(c.method, c.target, c.header)
		if err != nil || got.status != c.status || c.body != nil && !bytes.Equal(got.body, c.body) {
			t.Errorf("%s: status %d, %v, %d bytes %.80q, %v", c.name, got.status, got.header, len(got.body), got.body, err)
			continue
		}
		for k, v := range c.want {
			if got.header.Get(k) != v {
				t.Errorf("%s: header %s is %q instead of %q", c.name, k, got.header.Get(k), v)
			}
		}
		if c.status >= 500 && !strings.Contains(string(got.body), b.addr(249)+":1") {
			t.Errorf("%s: the answer does not tell why: %s", c.name, got.body)
		}
	}
	// A content that breaks its promise must not look whole.
	if got, err := p.ask("GET", absolute, map[string]string{"X-Swarm-Digest": fixtures.Layer1M.SHA256}); err == nil && got.status == 200 && len(got.body) == len(all) {
		t.Error("a file with another digest than promised came without an error")
	}
}

// Seen red by serving ranges once the file is whole, as before.
func TestProxyServesARangeOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.peer(21, stable, false, 1)
	b.origin.slow(1 << 20)
	defer b.origin.release()
	file := fixtures.Layer16M
	done := make(chan struct{})
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		request := p.request(file)
		request.Digest = ""
		dfget.Get(ctx, request)
	}()
	eventually(t, 10*time.Second, "the download is under way", func() (string, bool) {
		return fmt.Sprint(b.origin.bytes.Load()), b.origin.bytes.Load() > 1<<20
	})
	got, err := p.ask("GET", b.origin.url(file), map[string]string{"Range": "bytes=1000-1999"})
	if err != nil || got.status != 206 || !bytes.Equal(got.body, slice(t, file, 1000, 1000)) {
		t.Errorf("status %d, %d bytes, %v", got.status, len(got.body), err)
	}
	for id, task := range p.Snapshot().Tasks {
		if task.Held == task.Pieces {
			t.Errorf("task %s was whole already", id)
		}
	}
	hangUp()
	<-done
}

// Seen red by leaving the task pinned; what leaks otherwise shows in
// TestMain.
func TestClientThatHangsUpStopsNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	cfg := b.peerConfig(21, stable, false, 1)
	cfg.Quota = 20 << 20
	p := b.start(cfg)
	file := fixtures.Layer16M
	b.origin.slow(1 << 20)
	proxy := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: p.Host().GetIp() + ":65001"})}
	ctx, hangUp := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.origin.url(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := proxy.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, response.Body, 100); err != nil {
		t.Fatal(err)
	}
	hangUp()
	_ = response.Body.Close()
	b.origin.release()
	eventually(t, 10*time.Second, "the download ends well", func() (string, bool) {
		task := p.Snapshot().Tasks[piece.TaskID(b.origin.url(file), "")]
		return fmt.Sprintf("%+v", task), task.State == "done"
	})
	// Nobody reads it any more, so it can go for another file.
	p.mustGet(fixtures.Layer4M)
	p.mustGet(fixtures.Layer1M)
	if len(b.logs.find(`"task evicted"`, file.Name)) != 1 {
		t.Error("the client that hung up still holds the file")
	}
}
