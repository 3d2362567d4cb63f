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
	transfer, ip, err := wire.Get(ctx, client, rawURL, fmt.Sprintf("bytes=%d-%d", offset, offset+length-1), profile)
	if err != nil {
		return nil, ip, err
	}
	body = &Body{Transfer: transfer, Offset: offset}
	if err := body.judge(offset); err != nil {
		_ = transfer.Close()
		return nil, ip, err
	}
	return body, ip, nil
}

func (b *Body) judge(offset int64) error {
	switch {
	case b.StatusCode == http.StatusPartialContent:
		total, err := totalOf(b.Header.Get("Content-Range"), offset)
		if err != nil {
			return err
		}
		b.Total = total
		return nil
	case b.StatusCode == http.StatusOK && b.ContentLength >= 0:
		b.Total, b.Whole = b.ContentLength, true
		if _, err := io.CopyN(io.Discard, b.Transfer, offset); err != nil {
			return fmt.Errorf("skip to offset %d: %w", offset, err)
		}
		return nil
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

// totalOf reads the length of the file out of "bytes 0-99/1000".
func totalOf(contentRange string, offset int64) (int64, error) {
	span, total, ok := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	first, _, dashed := strings.Cut(span, "-")
	n, err := strconv.ParseInt(total, 10, 64)
	if !ok || !dashed || err != nil || first != strconv.FormatInt(offset, 10) {
		return 0, fmt.Errorf("%w: content range %q for offset %d", cause.ErrBadAnswer, contentRange, offset)
	}
	return n, nil
}

// Understands says whether rawURL leads to an origin of the kinds that are known.
func Understands(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// Target is the host:port that rawURL leads to, for logs.
func Target(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return rawURL
	}
	if u.Port() != "" {
		return u.Host
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
