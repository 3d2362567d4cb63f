package dragonfly

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/faultbed/faultbed/harness/topology"
)

// Stable is the release under test unless another is named.
const Stable = "v2.2.1"

// release is what is known of one release: how it differs from its neighbours.
type release struct {
	version string
	// taskDownloadTimeout: its scheduler knows the key of that name.
	taskDownloadTimeout bool
	// listHosts: its scheduler tells whom it counts.
	listHosts bool
	// backSource: its daemon counts the bytes that it fetched from the origin.
	backSource bool
	// patterns are the lines of its logs that tell of failed connections.
	patterns []pattern
	// defaults are its own timers.
	defaults profile
}

// releases are the ones that were measured, oldest first. A release between two of them
// is taken to be like the older one.
var releases = []release{
	{
		version: "v2.1.0", patterns: with(byHostName),
		// scheduler/config/constants.go:70, :76. Its watchdog is off, which only helps.
		defaults: profile{backToSource: 5, retryInterval: 50 * time.Millisecond, retryLimit: 10}.over(defaults),
	},
	{version: "v2.1.67", taskDownloadTimeout: true, listHosts: true, backSource: true, patterns: with(byHostName), defaults: defaults},
	{version: "v2.2.1", taskDownloadTimeout: true, listHosts: true, backSource: true, patterns: with(byHostName), defaults: defaults},
	{version: "v2.3.0", taskDownloadTimeout: true, listHosts: true, backSource: true, patterns: with(byAddress), defaults: defaults},
}

// known are the versions of releases, as an error lists them.
func known() string {
	versions := make([]string, len(releases))
	for i, r := range releases {
		versions[i] = r.version
	}
	return strings.Join(versions, ", ")
}

// like returns the measured release that version is taken for: itself, or the nearest
// that is not newer.
func like(version string) (release, error) {
	newest := releases[len(releases)-1].version
	found := -1
	for i, r := range releases {
		if semver.IsValid(version) && semver.Compare(r.version, version) <= 0 {
			found = i
		}
	}
	if found < 0 || semver.Compare(semver.MajorMinor(version), semver.MajorMinor(newest)) > 0 {
		return release{}, fmt.Errorf("release %q: unknown; name one of %s, or one between them", version, known())
	}
	return releases[found], nil
}

// neighbours are the measured releases before and after version; "" where there is none.
func neighbours(version string) (previous, next string) {
	for _, r := range releases {
		switch c := semver.Compare(r.version, version); {
		case c < 0:
			previous = r.version
		case c > 0 && next == "":
			next = r.version
		}
	}
	return previous, next
}

// canonical writes a release as the images' tags do.
func canonical(version string) string {
	version = cmp.Or(version, Stable)
	if !strings.HasPrefix(version, "v") {
		return "v" + version
	}
	return version
}

// programs are the repositories of the official images, by the role that they play.
var programs = map[string]string{
	"manager":   "dragonflyoss/manager",
	"scheduler": "dragonflyoss/scheduler",
	"seed":      "dragonflyoss/dfdaemon",
	"peer":      "dragonflyoss/dfdaemon",
}

// Refs are the images of a release: those that it takes, and those of its neighbours,
// with which it can be mixed. What is given for manager, scheduler, seed or peer stands
// in for the official image of the release under test.
func Refs(release string, given map[string]string) (needed, optional map[string]string, err error) {
	version := canonical(release)
	if _, err := like(version); err != nil {
		return nil, nil, err
	}
	needed, optional = map[string]string{}, map[string]string{}
	previous, next := neighbours(version)
	for role, repository := range programs {
		needed[role+"@"+topology.Stable] = cmp.Or(given[role], repository+":"+version)
		if previous != "" {
			optional[role+"@"+topology.Previous] = repository + ":" + previous
		}
		if next != "" {
			optional[role+"@"+topology.Next] = repository + ":" + next
		}
	}
	return needed, optional, nil
}
