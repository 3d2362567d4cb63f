package source

import (
	"fmt"
	"net"
	"net/url"
	"testing"
)

// Whatever an origin states, a length that is believed goes beyond what was asked from.
func FuzzContentRange(f *testing.F) {
	for _, header := range []string{"bytes 0-99/1000", "bytes 5-9/10", "bytes 0-0/-5", "bytes 0-99/+1000", "0-99/1000", "bytes 0-99/*", "bytes */100", "bytes 0-/5", "bytes 9-5/4", "bytes 0-99/99999999999999999999", "", "/-"} {
		for _, offset := range []int64{0, 5, 9} {
			f.Add(header, offset)
		}
	}
	f.Fuzz(func(t *testing.T, header string, offset int64) {
		if offset < 0 {
			return
		}
		total, err := totalOf(header, offset)
		if err == nil && total <= offset {
			t.Errorf("%q for offset %d is a file of %d", header, offset, total)
		}
		if offset < 1<<62 {
			if got, err := totalOf(fmt.Sprintf("bytes %d-%d/%d", offset, offset, offset+1), offset); err != nil || got != offset+1 {
				t.Errorf("the last byte, at %d: %d, %v", offset, got, err)
			}
		}
	})
}

// The target of a URL that can be fetched is an address.
func FuzzTarget(f *testing.F) {
	for _, raw := range []string{"http://origin/a", "https://origin/a", "http://origin:8080/a", "http://[::1]/a", "http://[fe80::1%25eth0]:80/", "http://user@host:/x", "://", "origin", "http://", "HTTPS://A"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target := Target(raw)
		u, err := url.Parse(raw)
		if err != nil || u.Hostname() == "" {
			if target != raw {
				t.Errorf("%q is no URL, but its target is %q", raw, target)
			}
			return
		}
		if _, port, err := net.SplitHostPort(target); err != nil || port == "" {
			t.Errorf("%q: target %q: %v", raw, target, err)
		}
	})
}
