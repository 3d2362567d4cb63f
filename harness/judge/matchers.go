package judge

import (
	"fmt"

	"github.com/onsi/gomega/gcustom"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
)

// mostly is the share of a file that must come from somewhere to have come mostly from
// there. Headers make counts on links a little larger than the file, never smaller.
const mostly = 0.9

// BeIntact matches a download that ended well with every byte of file as it should be.
// The digest is computed by the harness from what lies on the client's disk.
func BeIntact(file fixtures.File) types.GomegaMatcher {
	return about("be an intact copy of "+file.Name, func(d history.Download) string {
		switch {
		case d.Error != "":
			return "it failed: " + d.Error
		case d.File != file.Name:
			return "it is of " + d.File
		case d.Bytes != file.Size:
			return fmt.Sprintf("%d of %d bytes arrived", d.Bytes, file.Size)
		case !d.SHA256OK:
			return "its digest is wrong"
		}
		return ""
	})
}

// ComeFromAnywhere matches a download that got what it has from somewhere: scenarios use
// it where systems may differ.
func ComeFromAnywhere() types.GomegaMatcher {
	return about("come from anywhere", func(d history.Download) string {
		return most(d, d.From.Total(), 0)
	})
}

// ComeFromSwarm matches a download that seeds and peers served for the most part, and
// the origin hardly. What a fault swallows between proxy and client is counted as
// served: the origin's share tells whether it arrived.
func ComeFromSwarm() types.GomegaMatcher {
	return about("come from seeds and peers", func(d history.Download) string {
		return most(d, d.From.Seeds+d.From.Peers, d.From.Origin)
	})
}

// ComeFromPeers matches a download that other peers served for the most part, and the
// origin hardly.
func ComeFromPeers() types.GomegaMatcher {
	return about("come from peers", func(d history.Download) string { return most(d, d.From.Peers, d.From.Origin) })
}

// ComeFromOrigin matches a download that the origin served for the most part.
func ComeFromOrigin() types.GomegaMatcher {
	return about("come from the origin", func(d history.Download) string { return most(d, d.From.Origin, 0) })
}

func most(d history.Download, served, origin int64) string {
	switch {
	case d.Error != "":
		return "it failed: " + d.Error
	case d.Bytes == 0:
		return "nothing arrived"
	case float64(served) < mostly*float64(d.Bytes):
		return fmt.Sprintf("these served %d of %d bytes", served, d.Bytes)
	case float64(origin) > (1-mostly)*float64(d.Bytes):
		return fmt.Sprintf("the origin served %d of %d bytes", origin, d.Bytes)
	}
	return ""
}

// about makes a matcher of a function that says what is wrong, or "".
func about(promise string, wrong func(history.Download) string) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(d history.Download) (bool, error) {
		return wrong(d) == "", nil
	}).WithTemplate(`{{.Data.Describe .Actual}}
should {{if not .Failure}}not {{end}}{{.Data.Promise}}{{if .Failure}}, but {{call .Data.Wrong .Actual}}{{end}}`,
		matcherData{promise, wrong})
}

type matcherData struct {
	Promise string
	Wrong   func(history.Download) string
}

// Describe is the download in one line.
func (matcherData) Describe(d history.Download) string {
	return fmt.Sprintf("The download of %s by %s (%d bytes in %d ms; origin %d, seeds %d, peers %d)",
		d.File, d.Peer, d.Bytes, d.TookMS, d.From.Origin, d.From.Seeds, d.From.Peers)
}
