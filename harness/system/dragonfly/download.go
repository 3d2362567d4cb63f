package dragonfly

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/system"
)

// Download implements system.System: dfget has the running daemon fetch the file, over
// the daemon's socket, and does it itself, from the origin, when the daemon fails.
func (s *System) Download(url, path, sha256 string, timeout time.Duration) []string {
	return []string{dfget, url, "--output", path, "--digest", "sha256:" + sha256, "--timeout", timeout.String()}
}

// verdict is dfget's last word: "download success: true, cost: 12 ms", without the comma
// up to v2.1.0, and with " error: ..." behind it when it failed.
var verdict = regexp.MustCompile(`^download success: (true|false),? cost: \d+ ms(?: error: (.*))?$`)

// ownWay is what dfget says before it goes to the origin by itself.
const ownWay = "daemon downloads file error: "

// Claim implements system.System. Dfget does not say where content came from; that its
// daemon failed and it went to the origin itself is an error, told beside success.
func (s *System) Claim(stdout []byte) (system.Claim, error) {
	var claim system.Claim
	said := false
	for line := range bytes.Lines(stdout) {
		text := strings.TrimSpace(string(line))
		if m := verdict.FindStringSubmatch(text); m != nil {
			said, claim.OK = true, m[1] == "true"
			if m[2] != "" {
				claim.Error = m[2]
			}
		} else if why, failed := strings.CutPrefix(text, ownWay); failed {
			claim.Error = why
		}
	}
	if !said {
		return system.Claim{}, errors.New("dfget did not say whether it succeeded: " + lastLine(stdout))
	}
	return claim, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return "it printed nothing"
}
