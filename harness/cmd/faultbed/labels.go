package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/mutant"
)

// Pieces of ginkgo's language of label filters, as its parser (types.ParseLabelFilter)
// reads it: /regexps/, sets such as "fault: containsAny {drop, mtu}", and words.
var (
	labelRegexp    = regexp.MustCompile(`/[^/]*/`)
	labelSet       = regexp.MustCompile(`(?i)([^&|!,()/:{}]+): +(?:containsAny|containsAll|consistsOf|isSubsetOf) *(\{[^}]*\}|[^&|!,()/]*)`)
	labelEmptySet  = regexp.MustCompile(`(?i)[^&|!,()/:{}]+: +isEmpty`)
	labelOperators = regexp.MustCompile(`&&|\|\||[!,()]`)
)

// labelsIn are the labels that a valid filter spells out.
func labelsIn(filter string) []string {
	filter = labelRegexp.ReplaceAllString(filter, ",")
	filter = labelEmptySet.ReplaceAllString(filter, ",")
	var labels []string
	for _, set := range labelSet.FindAllStringSubmatch(filter, -1) {
		for value := range strings.SplitSeq(strings.Trim(set[2], "{} "), ",") {
			labels = append(labels, strings.TrimSpace(set[1])+":"+strings.TrimSpace(value))
		}
	}
	for _, word := range labelOperators.Split(labelSet.ReplaceAllString(filter, ","), -1) {
		if word = strings.TrimSpace(word); word != "" {
			labels = append(labels, word)
		}
	}
	return labels
}

// checkLabels refuses a filter with a label that no scenario carries: a slip of the
// pen in a filter must not look like a green run of something else.
func checkLabels(filter string, specs []spec) error {
	var known []string
	for _, s := range specs {
		known = append(known, s.labels...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, label := range labelsIn(filter) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, label) }) {
			if others, declared := split(known); strings.HasPrefix(label, mutant.Label) {
				known = declared
			} else {
				known = others
			}
			return usage("label %q is on no scenario: choose from %s", label, strings.Join(known, ", "))
		}
	}
	return nil
}
