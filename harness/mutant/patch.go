package mutant

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// mutable are the folders whose programs can be mutants: what supernodes and peers are
// built from.
var mutable = []string{"images/swarm/", "images/peer/", "images/supernode/"}

// readPatch reads a patch and applies it to the sources in root.
func (m *Mutant) readPatch(root fs.FS, name string) error {
	content, err := text(root, name)
	if err != nil {
		return err
	}
	files, _, err := gitdiff.Parse(strings.NewReader(content))
	if err != nil {
		return unreadable(name, err)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s:1: no unified diff: make one with git diff", name)
	}
	lines := linesOf(content)
	m.Sources = map[string][]byte{}
	var wrong []error
	for i, file := range files {
		p := patch{name: name, lines: lines, number: i, file: file}
		source, mutated, err := p.apply(root)
		if err == nil && m.Sources[source] != nil {
			err = p.wrong(p.header(), "changes %s a second time: put all of a file under one header", source)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		m.Sources[source] = mutated
	}
	return errors.Join(wrong...)
}

// parserLine is where the library says that a text is no diff.
var parserLine = regexp.MustCompile(`^gitdiff: line (\d+): (.*)$`)

func unreadable(name string, err error) error {
	if at := parserLine.FindStringSubmatch(err.Error()); at != nil {
		return fmt.Errorf("%s:%s: no unified diff: %s: make it anew with git diff", name, at[1], at[2])
	}
	return fmt.Errorf("%s:1: no unified diff: %w: make it anew with git diff", name, err)
}

// patch is what a diff says of one of its files.
type patch struct {
	name   string // of the diff
	lines  [][]int
	number int // of the file in the diff
	file   *gitdiff.File
}

// header is the line of the diff at which the file begins.
func (p patch) header() int { return p.lineOf(0, 0) }

// lineOf is a line of the diff: of the file's n-th hunk, and of that the n-th line after
// its header.
func (p patch) lineOf(hunk, line int) int {
	if p.number >= len(p.lines) || hunk >= len(p.lines[p.number]) {
		return 1
	}
	return p.lines[p.number][hunk] + line
}

func (p patch) wrong(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", p.name, line, fmt.Errorf(format, args...))
}

// linesOf finds the headers of a diff: per file the line where it begins, then those of
// its hunks.
func linesOf(diff string) [][]int {
	var all [][]int
	for number, line := range strings.Split(diff, "\n") {
		switch {
		case strings.HasPrefix(line, "--- "):
			all = append(all, []int{number + 1})
		case strings.HasPrefix(line, "@@ ") && len(all) > 0:
			all[len(all)-1] = append(all[len(all)-1], number+1)
		}
	}
	return all
}

// apply returns the file that the patch changes, and what it makes of it.
func (p patch) apply(root fs.FS) (source string, mutated []byte, err error) {
	f := p.file
	if f.IsNew || f.IsDelete || f.IsCopy || f.IsRename || f.IsBinary || f.OldMode != f.NewMode && f.NewMode != 0 || len(f.TextFragments) == 0 {
		return "", nil, p.wrong(p.header(), "does more than change lines of a file: a mutant adds, removes and renames none")
	}
	source = strings.TrimPrefix(f.NewName, "b/")
	if err := allowed(source); err != nil {
		return "", nil, p.wrong(p.header(), "%w", err)
	}
	was, err := fs.ReadFile(root, source)
	if err != nil {
		return "", nil, p.wrong(p.header(), "there is no %s: name a file by its path from the root of the project", source)
	}
	for _, hunk := range f.TextFragments {
		follow(hunk, strings.SplitAfter(string(was), "\n"))
	}
	var out bytes.Buffer
	if err := gitdiff.Apply(&out, bytes.NewReader(was), f); err != nil {
		return "", nil, p.conflict(source, err)
	}
	mutated = out.Bytes()
	if _, err := parser.ParseFile(token.NewFileSet(), source, mutated, parser.SkipObjectResolution); err != nil {
		return "", nil, p.wrong(p.header(), "what it makes is no Go: %w: make the patch from sources that compile", firstOf(err))
	}
	if equal(was, mutated) {
		return "", nil, p.wrong(p.header(), "changes nothing in %s but comments or spaces: break something", source)
	}
	return source, mutated, nil
}

// follow moves a hunk whose lines have moved: to where they stand letter by letter, if that
// is one place and no other. What changes above a mutant is no reason to make it anew.
func follow(hunk *gitdiff.TextFragment, source []string) {
	var old []string
	for _, line := range hunk.Lines {
		if line.Old() {
			old = append(old, line.Line)
		}
	}
	var places []int64
	for i := range len(source) - len(old) + 1 {
		if slices.Equal(source[i:i+len(old)], old) {
			places = append(places, int64(i)+1)
		}
	}
	if len(places) == 1 {
		hunk.OldPosition = places[0]
	}
}

func allowed(source string) error {
	inside := false
	for _, folder := range mutable {
		inside = inside || strings.HasPrefix(source, folder)
	}
	if !inside || path.Clean(source) != source || path.Ext(source) != ".go" || strings.HasSuffix(source, "_test.go") {
		return fmt.Errorf("%s cannot be mutated: change .go files under %s that are no tests", source, strings.Join(mutable, ", "))
	}
	return nil
}

// conflict is why a patch does not apply, where that is in the diff, and in the source.
func (p patch) conflict(source string, err error) error {
	line := p.header()
	var at *gitdiff.ApplyError
	if errors.As(err, &at) {
		line = p.lineOf(max(at.Fragment, 1), at.FragmentLine)
		if at.Line > 0 {
			source += ":" + strconv.FormatInt(at.Line, 10)
		}
	}
	return p.wrong(line, "does not apply at %s: %w: make the patch anew from the source as it is", source, err)
}

// firstOf is the first of a parser's errors.
func firstOf(err error) error {
	var list scanner.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return list[0]
	}
	return err
}

// equal says whether two sources are the same to a compiler.
func equal(a, b []byte) bool {
	left, right := tokens(a), tokens(b)
	for {
		x, lit, end := left()
		y, other, over := right()
		if x != y || lit != other {
			return false
		}
		if end || over {
			return end == over
		}
	}
}

// tokens returns the tokens of a source one by one.
func tokens(source []byte) func() (tok token.Token, lit string, end bool) {
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(source)), source, nil, 0)
	return func() (token.Token, string, bool) {
		_, tok, lit := s.Scan()
		if tok == token.SEMICOLON {
			lit = "" // else it tells a line's end from a sign
		}
		return tok, lit, tok == token.EOF
	}
}
