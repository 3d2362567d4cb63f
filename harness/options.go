package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system/dragonfly"
)

// Options are what a run was asked for. The command line passes them in the
// environment, so that the suite also runs alone, under go test or ginkgo.
type Options struct {
	RunDir      string            // where records and evidence go
	System      string            // reference or dragonfly
	Release     string            // under test; topologies may mix others in
	Given       []string          // roles that run an image of the user's own: a candidate is under test
	Profile     string            // fast or production
	Images      map[string]string // "peer@2.2.1" -> ref; built here if empty
	AllEvidence bool              // of every scenario, not only of those that are not PASS
	Unsampled   bool              // nobody looks at beds for the report: a benchmark measures without
	Capture     bool              // of every node's packets, for evidence
	Repeat      int               // 1 for the first time round
	Parent      int               // process that this one must not outlive; 0 for none
	Root        string            // of the project; locations are told from there
	Token       string            // the session's secret; a new one if empty
	// Known are the system's known issues; the environment does not carry them.
	Known []history.KnownIssue
}

// releases are what each system is tested at unless another release is named.
var releases = map[string]string{
	"reference": cluster.DefaultRelease,
	"dragonfly": dragonfly.Stable,
}

// DefaultRelease is the release of a system that is under test unless another is named.
func DefaultRelease(system string) string { return releases[system] }

// OptionsFromEnv reads FAULTBED_RUN_DIR, _SYSTEM, _RELEASE, _GIVEN (with commas),
// _PROFILE, _IMAGES (JSON), _EVIDENCE, _CAPTURE (1), _REPEAT, _PARENT, _ROOT and _TOKEN.
func OptionsFromEnv() (Options, error) {
	o := Options{
		RunDir:      os.Getenv("FAULTBED_RUN_DIR"),
		System:      or(os.Getenv("FAULTBED_SYSTEM"), "reference"),
		Profile:     or(os.Getenv("FAULTBED_PROFILE"), "fast"),
		AllEvidence: os.Getenv("FAULTBED_EVIDENCE") == "all",
		Capture:     os.Getenv("FAULTBED_CAPTURE") == "1",
		Repeat:      1,
		Root:        os.Getenv("FAULTBED_ROOT"),
		Token:       os.Getenv("FAULTBED_TOKEN"),
	}
	o.Release = or(os.Getenv("FAULTBED_RELEASE"), DefaultRelease(o.System))
	if text := os.Getenv("FAULTBED_GIVEN"); text != "" {
		o.Given = strings.Split(text, ",")
	}
	if o.RunDir == "" {
		o.RunDir = filepath.Join("out", time.Now().UTC().Format("20060102T150405Z")+"-bare")
	}
	if text := os.Getenv("FAULTBED_IMAGES"); text != "" {
		if err := json.Unmarshal([]byte(text), &o.Images); err != nil {
			return o, fmt.Errorf("FAULTBED_IMAGES: %w", err)
		}
	}
	for name, into := range map[string]*int{"FAULTBED_REPEAT": &o.Repeat, "FAULTBED_PARENT": &o.Parent} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return o, fmt.Errorf("%s: %w", name, err)
			}
			*into = n
		}
	}
	return o, nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
