package scenarios

import (
	"fmt"

	"github.com/onsi/gomega/gcustom"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/harness/system"
)

// diagnosis matches a log entry of a failed connection that names this step, target and
// cause. An empty string stands for any.
func diagnosis(step, target, cause string) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(d system.Diagnosis) (bool, error) {
		return (step == "" || d.Step == step) && (target == "" || d.Target == target) && (cause == "" || d.Cause == cause), nil
	}).WithMessage(fmt.Sprintf("be a failed %q to %q because of %q", step, target, cause))
}
