package diagnosis

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// sentenceAtMost is where a reason in one sentence is cut off, in bytes.
const sentenceAtMost = 320

// kinds are what gomega says of a value's type: "<[]string | len:4, cap:4>: ".
var kinds = regexp.MustCompile(`<\*?[][\w.{}*]+(?: \| [^<>]*)?>: `)

// Sentence makes one line of a reason: gomega says what it expected over many, with what
// it saw indented between.
func Sentence(reason string) string {
	words := strings.Join(strings.Fields(kinds.ReplaceAllString(reason, "")), " ")
	if len(words) <= sentenceAtMost {
		return words
	}
	end := sentenceAtMost
	for !utf8.RuneStart(words[end]) {
		end--
	}
	return words[:end] + " ..."
}

// full ends a sentence.
func full(words string) string {
	if words == "" || strings.HasSuffix(words, ".") {
		return words
	}
	return words + "."
}
