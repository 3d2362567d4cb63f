// Package source fetches spans of a file from its origin over HTTP ranges.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// Span is how many bytes one request to an origin asks for at most: large, so
// that an origin sees few requests when nobody else has the file.
const Span = 4 << 20

// ErrPermanent is in the chain of an answer that asking again will not change.
var ErrPermanent = errors.New("the origin refuses for good")

// ErrChanged is in the chain when a file is not what it was when its download began.
var ErrChanged = fmt.Errorf("%w: %w", ErrPermanent, cause.ErrBadAnswer)

// Body is the answer to one request: bytes from Offset on, of a file of Total bytes.
// With Whole the origin does not serve ranges and the body runs to the end of the file.
type Body struct {
	*wire.Transfer
	Offset, Total int64
	Whole         bool
}

// Open asks for length bytes of rawURL from offset on; the answer may hold more.
// The ip is that of the origin, as far as known, also with an error.
func Open(ctx context.Context, client *http.Client, rawURL string, offset, length int64, profile timers.Profile) (body *Body, ip string, err error) {
	transfer, ip, err := wire.Get(ctx, following(client), rawURL, fmt.Sprintf("bytes=%d-%d", offset, offset+length-1), profile)
	if err != nil {
		if errors.Is(err, errRedirects) {
			err = fmt.Errorf("%w: %w: %w", ErrPermanent, cause.ErrBadAnswer, err)
		}
		return nil, ip, err
	}
	body = &Body{Transfer: transfer, Offset: offset}
	if err := body.judge(offset); err != nil {
		_ = transfer.Close()
		return nil, ip, err
	}
	return body, ip, nil
}

// maxRedirects is how often an origin may send on: to a mirror, from there to its
// storage, and then some.
const maxRedirects = 5

var errRedirects = fmt.Errorf("sent on more than %d times", maxRedirects)

// following is client for origins. They may send on: what is named by a stable URL
// often lies behind one that expires. So each request asks the stable one anew, and the
// task keeps its name. Peers never send each other on.
func following(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return errRedirects
		case next.URL.Scheme != "https" && via[0].URL.Scheme == "https":
			return fmt.Errorf("%w: from https to %s", errRedirects, next.URL.Scheme)
		}
		return nil
	}
	return &c
}

func (b *Body) judge(offset int64) error {
	switch {
	case b.StatusCode == http.StatusPartialContent:
		total, length, err := rangeOf(b.Header.Get("Content-Range"), offset)
		if err != nil {
			return err
		}
		if b.ContentLength >= 0 && b.ContentLength != length {
			return fmt.Errorf("%w: content length %d for content range %q", cause.ErrBadAnswer, b.ContentLength, b.Header.Get("Content-Range"))
		}
		b.Total = total
		return nil
	case b.StatusCode == http.StatusRequestedRangeNotSatisfiable && offset == 0 && b.Header.Get("Content-Range") == "bytes */0":
		b.Whole = true // an empty file has no first byte
		return nil
	case b.StatusCode == http.StatusOK && b.ContentLength >= 0:
		b.Total, b.Whole = b.ContentLength, true
		if _, err := io.CopyN(io.Discard, b.Transfer, offset); err != nil {
			return fmt.Errorf("skip to offset %d: %w", offset, err)
		}
		return nil
	case b.StatusCode >= 300 && b.StatusCode < 400:
		return fmt.Errorf("%w: %w: status %s leads nowhere", ErrPermanent, cause.ErrBadAnswer, b.Status)
	case b.StatusCode == http.StatusOK:
		return fmt.Errorf("%w: %w: it does not state the length", ErrPermanent, cause.ErrBadAnswer)
	case b.StatusCode == http.StatusNotFound || b.StatusCode == http.StatusGone:
		return fmt.Errorf("%w: %w: status %s", ErrPermanent, cause.ErrNotFound, b.Status)
	case b.StatusCode == http.StatusForbidden || b.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w: status %s", ErrPermanent, cause.ErrForbidden, b.Status)
	case b.StatusCode >= 400 && b.StatusCode < 500 && b.StatusCode != http.StatusTooManyRequests && b.StatusCode != http.StatusRequestTimeout:
		return fmt.Errorf("%w: %w: status %s", ErrPermanent, cause.ErrBadAnswer, b.Status)
	}
	return fmt.Errorf("%w: status %s", cause.ErrBadAnswer, b.Status)
}

// rangeOf reads the lengths of the file and of the range out of "bytes 0-99/1000".
func rangeOf(contentRange string, offset int64) (total, length int64, err error) {
	value, unit := strings.CutPrefix(contentRange, "bytes ")
	span, whole, slash := strings.Cut(value, "/")
	first, last, dash := strings.Cut(span, "-")
	from, errFirst := strconv.ParseUint(first, 10, 63)
	to, errLast := strconv.ParseUint(last, 10, 63)
	all, errTotal := strconv.ParseUint(whole, 10, 63)
	if !unit || !slash || !dash || errors.Join(errFirst, errLast, errTotal) != nil ||
		from != uint64(offset) || to < from || to >= all { //nolint:gosec // an offset is never negative
		return 0, 0, fmt.Errorf("%w: content range %q for offset %d", cause.ErrBadAnswer, contentRange, offset)
	}
	return int64(all), int64(to - from + 1), nil //nolint:gosec // parsed as ones of 63 bits
}

// Understands says whether rawURL leads to an origin of the kinds that are known.
func Understands(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// Target is the host:port that rawURL leads to, for logs; of what leads nowhere it is
// rawURL itself.
func Target(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" {
		return rawURL
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	target := net.JoinHostPort(u.Hostname(), port)
	if _, _, err := net.SplitHostPort(target); err != nil {
		return rawURL
	}
	return target
}
