//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
)

// InvalidError says that what was asked for makes no sense, whatever the kernel says.
// Nothing was tried.
type InvalidError struct{ reason string }

// Error gives the reason.
func (e *InvalidError) Error() string { return e.reason }

func invalid(format string, arguments ...any) error {
	return &InvalidError{fmt.Sprintf(format, arguments...)}
}

func checkOwner(owner string) error {
	if !owners.MatchString(owner) {
		return invalid("owner %q: want 1 to 64 of a-z, 0-9 and -", owner)
	}
	return nil
}

// isEndpoint says whether it is an IPv4 address with a port.
func isEndpoint(end netip.AddrPort) bool {
	return end.Addr().Unmap().Is4() && end.Port() != 0
}
