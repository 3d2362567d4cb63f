//go:build linux

package kernel

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// probePath is what is asked for if nothing else is wished.
const probePath = "/healthy"

// probeHTTP asks once and waits for the head of the answer, or for all of it.
func probeHTTP(ctx context.Context, dial func(context.Context) (net.Conn, error), trace *trace, probe Probe) (detail string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+probe.Target.String()+cmp.Or(probe.Path, probePath), nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	if probe.Pad > 0 {
		request.Header.Set("X-Pad", strings.Repeat("x", probe.Pad))
	}
	conn, err := dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // the probe is over
	// Writing may fail because the answer has come and the server has closed:
	// what counts is what can be read.
	writeErr := request.Write(conn)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request) //nolint:bodyclose // that would read all of it: the connection is closed
	if err != nil {
		if writeErr != nil {
			return "", fmt.Errorf("write request: %w", writeErr)
		}
		return "", fmt.Errorf("read answer: %w", err)
	}
	if !probe.Bulk && !probe.Close {
		return response.Status, nil
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, response.Body); err != nil {
		return "", fmt.Errorf("read body of %s: %w", response.Status, err)
	}
	trace.digested(digest.Sum(nil))
	if probe.Close {
		if _, err := io.Copy(io.Discard, reader); err != nil {
			return "", fmt.Errorf("wait for the end after %s: %w", response.Status, err)
		}
	}
	return response.Status, nil
}
