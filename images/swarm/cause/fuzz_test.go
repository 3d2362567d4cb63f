package cause_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// Every error has one of the known causes, whoever wrote its text: causes are labels of
// metrics. Wrapping does not change it, nor does one more trip over the wire.
func FuzzOf(f *testing.F) {
	for _, text := range []string{"", "connection refused", "EOF", "dial tcp: i/o timeout", "keepalive ping failed", "version mismatch: connection reset", "\xff"} {
		f.Add(text, uint32(codes.Unavailable), "")
		f.Add(text, uint32(codes.FailedPrecondition), "refused")
		f.Add(text, uint32(99), "made up")
	}
	for _, stated := range cause.All {
		f.Add("as they say", uint32(codes.Aborted), string(stated))
	}
	f.Fuzz(func(t *testing.T, text string, code uint32, stated string) {
		st := status.New(codes.Code(code), text)
		if stated != "" {
			if detailed, err := st.WithDetails(&pb.Refusal{Target: text, Cause: stated, Reason: text}); err == nil {
				st = detailed
			}
		}
		for _, err := range []error{errors.New(text), st.Err()} {
			got := cause.Of(err)
			if (err == nil) != (got == "") || err != nil && !slices.Contains(cause.All, got) {
				t.Errorf("%v: %q", err, got)
			}
			if err == nil {
				continue
			}
			if again := cause.Of(fmt.Errorf("again: %w", err)); again != got {
				t.Errorf("%v: %q, then %q", err, got, again)
			}
			if over := cause.Of(cause.Refuse(codes.Aborted, "target", err)); over != got {
				t.Errorf("%v: %q here, %q there", err, got, over)
			}
		}
	})
}
