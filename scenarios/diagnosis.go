package scenarios

import (
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
)

// diagnosis matches a log entry of a failed connection that names this step, target and
// cause. An empty string stands for any but none.
func diagnosis(step, target, cause string) types.GomegaMatcher {
	field := func(name, want string) types.GomegaMatcher {
		if want == "" {
			return HaveField(name, Not(BeEmpty()))
		}
		return HaveField(name, want)
	}
	return SatisfyAll(field("Step", step), field("Target", target), field("Cause", cause))
}
