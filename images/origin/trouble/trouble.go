// Package trouble is how an origin misbehaves when it is asked to: what web servers,
// and what stands before them, have been seen to do to those who fetch files. It is a
// pure handler: the same request always meets the same trouble.
package trouble

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faultbed/faultbed/fixtures"
)

// Kind is one way to misbehave, as /files/<name>?fault=<kind> asks for it.
type Kind string

// The kinds.
const (
	None       Kind = ""
	NotFound   Kind = "404"
	Forbidden  Kind = "403"
	Broken     Kind = "500"
	CloseEarly Kind = "close-early" // states the length that was asked for, sends half of it, and closes
	LiesLong   Kind = "lies-long"   // states a file longer by Lie than it is, and closes at its end
	LiesShort  Kind = "lies-short"  // states, and sends, a file shorter by Lie than it is
	Changing   Kind = "changing"    // states another length of the file at each offset
	NoRanges   Kind = "no-ranges"   // sends the whole file whatever was asked for
	Silent     Kind = "silent"      // takes the request and answers nothing
	HTML       Kind = "html"        // answers with an error page for people, and status 200
	Redirect   Kind = "redirect"    // sends to where the file can be had
	Loop       Kind = "loop"        // sends back to itself
)

// Lie is how many bytes the lies are about.
const Lie = 1000

const page = "<!DOCTYPE html><title>Sorry</title><p>Something went wrong. Please try again later.\n"

var kinds = map[Kind]func(w http.ResponseWriter, r *http.Request, f fixtures.File){
	None:       serve,
	NotFound:   status(http.StatusNotFound),
	Forbidden:  status(http.StatusForbidden),
	Broken:     status(http.StatusInternalServerError),
	CloseEarly: func(w http.ResponseWriter, r *http.Request, f fixtures.File) { span(w, r, f, f.Size, true) },
	LiesLong:   func(w http.ResponseWriter, r *http.Request, f fixtures.File) { span(w, r, f, f.Size+Lie, false) },
	LiesShort: func(w http.ResponseWriter, r *http.Request, f fixtures.File) {
		span(w, r, f, max(0, f.Size-Lie), false)
	},
	Changing: func(w http.ResponseWriter, r *http.Request, f fixtures.File) {
		first, _ := asked(r, f.Size)
		span(w, r, f, f.Size+first, false)
	},
	NoRanges: func(w http.ResponseWriter, r *http.Request, f fixtures.File) {
		r = r.Clone(r.Context())
		r.Header.Del("Range")
		serve(w, r, f)
	},
	Silent: func(_ http.ResponseWriter, r *http.Request, _ fixtures.File) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	},
	HTML: func(w http.ResponseWriter, _ *http.Request, _ fixtures.File) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = io.WriteString(w, page)
	},
	Redirect: func(w http.ResponseWriter, r *http.Request, _ fixtures.File) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	},
	Loop: func(w http.ResponseWriter, r *http.Request, _ fixtures.File) {
		http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
	},
}

// Serve answers a request for a file with trouble of that kind, or says that there is
// no such kind.
func Serve(w http.ResponseWriter, r *http.Request, file fixtures.File, kind Kind) {
	answer, ok := kinds[kind]
	if !ok {
		known := slices.Sorted(maps.Keys(kinds))
		http.Error(w, fmt.Sprintf("unknown fault %q, known are %q", kind, known[1:]), http.StatusBadRequest)
		return
	}
	answer(w, r, file)
}

func serve(w http.ResponseWriter, r *http.Request, f fixtures.File) {
	http.ServeContent(w, r, "", time.Time{}, fixtures.Reader(f))
}

func status(code int) func(http.ResponseWriter, *http.Request, fixtures.File) {
	return func(w http.ResponseWriter, _ *http.Request, _ fixtures.File) {
		http.Error(w, http.StatusText(code), code)
	}
}

// span answers as a file of total bytes would that serves ranges; what is behind the
// end of the real one, or with half what is in the second half, never comes.
func span(w http.ResponseWriter, r *http.Request, f fixtures.File, total int64, half bool) {
	first, last := asked(r, total)
	if first >= total {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", total))
		http.Error(w, "no such range", http.StatusRequestedRangeNotSatisfiable)
		return
	}
	length := last - first + 1
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	if r.Header.Get("Range") != "" {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, total))
		w.WriteHeader(http.StatusPartialContent)
	}
	send := length
	if half {
		send /= 2
	}
	content := fixtures.Reader(f)
	_, _ = content.Seek(first, io.SeekStart)
	if n, _ := io.CopyN(w, content, send); n < length {
		_ = http.NewResponseController(w).Flush() // what was sent arrives
		panic(http.ErrAbortHandler)
	}
}

// asked is the range that a request is for, of a file of total bytes.
func asked(r *http.Request, total int64) (first, last int64) {
	from, to, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	first, err := strconv.ParseInt(from, 10, 64)
	if !ok || err != nil {
		return 0, total - 1
	}
	if last, err = strconv.ParseInt(to, 10, 64); err != nil {
		last = total - 1
	}
	return first, min(last, total-1)
}
