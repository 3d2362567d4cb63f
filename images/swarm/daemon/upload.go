package daemon

import (
	"math"
	"net/http"
	"os"
	"strconv"
	"time"
)

// maxProbe is the most bytes that one path test may ask for.
const maxProbe = 1 << 20

// pieceRoutes is the piece port: pieces, whole files by range, and path tests.
func (d *Daemon) pieceRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthy", healthy)
	mux.HandleFunc("GET /probe", probe)
	mux.HandleFunc("GET /tasks/{id}/pieces/{n}", d.servePiece)
	mux.HandleFunc("GET /tasks/{id}/data", d.serveData)
	return mux
}

func (d *Daemon) servePiece(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	t := d.pinned(r.PathValue("id"))
	if t == nil {
		http.NotFound(w, r)
		return
	}
	defer t.unpin()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	leave, ok := d.admit(w, uploadSlots)
	if !ok {
		http.Error(w, "no free upload slot", http.StatusServiceUnavailable)
		return
	}
	defer leave()
	buffer, ok := t.read(n)
	if !ok {
		http.NotFound(w, r)
		return
	}
	defer giveBuffer(buffer)
	data := *buffer
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	sent, _ := w.Write(data)
	d.bytes.WithLabelValues("uploaded").Add(float64(sent))
}

func (d *Daemon) serveData(w http.ResponseWriter, r *http.Request) {
	t := d.pinned(r.PathValue("id"))
	if t == nil {
		http.NotFound(w, r)
		return
	}
	defer t.unpin()
	if !t.view().done {
		http.NotFound(w, r)
		return
	}
	leave, ok := d.admit(w, math.MaxInt32)
	if !ok {
		http.Error(w, "this peer stops", http.StatusServiceUnavailable)
		return
	}
	defer leave()
	serveWhole(w, r, t)
}

// serveWhole serves ranges of a task that is done, from a descriptor of its own.
func serveWhole(w http.ResponseWriter, r *http.Request, t *task) {
	file, err := os.Open(t.path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = file.Close() }()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, file)
}

func healthy(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

// probe answers with as many zero bytes as asked: a path test for operators.
func probe(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("bytes"))
	if err != nil || n < 0 || n > maxProbe {
		http.Error(w, "bytes must be a number from 0 to 1048576", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	_, _ = w.Write(make([]byte, n))
}
