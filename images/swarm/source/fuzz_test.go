package source

import (
	"fmt"
	"net"
	"regexp"
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
		total, _, err := rangeOf(header, offset)
		if err == nil && total <= offset {
			t.Errorf("%q for offset %d is a file of %d", header, offset, total)
		}
		if offset < 1<<62 {
			if got, _, err := rangeOf(fmt.Sprintf("bytes %d-%d/%d", offset, offset, offset+1), offset); err != nil || got != offset+1 {
				t.Errorf("the last byte, at %d: %d, %v", offset, got, err)
			}
		}
	})
}

// A target is an address, or the URL itself; of a plain host it is an address.
func FuzzTarget(f *testing.F) {
	for _, raw := range []string{"http://origin/a", "https://origin/a", "http://origin:8080/a", "http://[::1]/a", "http://[fe80::1%25eth0]:80/", "http://user@host:/x", "://", "origin", "http://", "HTTPS://A", "//:", "//]"} {
		f.Add(raw)
	}
	plain := regexp.MustCompile(`^https?://[a-z0-9.-]+(:[0-9]+)?(/[a-z]*)?$`)
	f.Fuzz(func(t *testing.T, raw string) {
		target := Target(raw)
		host, port, err := net.SplitHostPort(target)
		if target != raw && (err != nil || host == "" || port == "") || plain.MatchString(raw) && (target == raw || err != nil) {
			t.Errorf("%q: target %q: %v", raw, target, err)
		}
	})
}
