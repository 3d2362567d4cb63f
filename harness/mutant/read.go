package mutant

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Folder is where mutants are kept, one folder each, from the root of the project.
const Folder = "fixtures/mutants"

// The files of a mutant.
const (
	patchFile = "mutant.patch"
	wordsFile = "mutant.txt"
)

// validName is what a mutant may be called: it is also a folder, a label and a part of the
// names of its images, of which the engine takes 128 characters.
var validName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const longestName = 60

// Read returns all mutants of a project, by name. It is strict, and names all that is
// wrong at once, a line each: a mutant that is not what it says proves nothing.
func Read(root fs.FS) ([]Mutant, error) {
	entries, err := fs.ReadDir(root, Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read mutants: %w", err)
	}
	var all []Mutant
	var wrong []error
	for _, entry := range entries {
		at := path.Join(Folder, entry.Name())
		if !entry.IsDir() {
			wrong = append(wrong, fmt.Errorf("%s:1: no folder of a mutant: put it into %s/<name>/", at, Folder))
			continue
		}
		m, err := readOne(root, at)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		all = append(all, m)
	}
	return all, errors.Join(wrong...)
}

func readOne(root fs.FS, dir string) (Mutant, error) {
	m := Mutant{Name: path.Base(dir)}
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return m, fmt.Errorf("read mutants: %w", err)
	}
	var wrong []error
	if !validName.MatchString(m.Name) || len(m.Name) > longestName {
		wrong = append(wrong, fmt.Errorf("%s:1: no name of a mutant: use words of a-z and 0-9 with - between them, %d letters at most", dir, longestName))
	}
	for _, entry := range entries {
		if name := entry.Name(); name != patchFile && name != wordsFile {
			wrong = append(wrong, fmt.Errorf("%s:1: a mutant is %s and %s and nothing else: remove it", path.Join(dir, name), patchFile, wordsFile))
		}
	}
	wrong = append(wrong, m.readWords(root, path.Join(dir, wordsFile)), m.readPatch(root, path.Join(dir, patchFile)))
	return m, errors.Join(wrong...)
}

// text reads a file of a mutant.
func text(root fs.FS, name string) (string, error) {
	content, err := fs.ReadFile(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s:1: is missing: add it", name)
	}
	if err != nil {
		return "", fmt.Errorf("read mutants: %w", err)
	}
	return string(content), nil
}

// keys are the lines of a mutant's words, each once.
var keys = []string{"broken", "promise", "seen"}

// readWords reads what a mutant says of itself.
func (m *Mutant) readWords(root fs.FS, name string) error {
	content, err := text(root, name)
	if err != nil {
		return err
	}
	var wrong []error
	said := map[string]bool{}
	for number, line := range strings.Split(content, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := m.readLine(line, said); err != nil {
			wrong = append(wrong, fmt.Errorf("%s:%d: %w", name, number+1, err))
		}
	}
	for _, key := range keys {
		if !said[key] {
			wrong = append(wrong, fmt.Errorf("%s:1: %s is missing: add a line \"%s: ...\"", name, key, key))
		}
	}
	return errors.Join(wrong...)
}

func (m *Mutant) readLine(line string, said map[string]bool) error {
	key, value, found := strings.Cut(line, ":")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch {
	case !found || !slices.Contains(keys, key):
		return fmt.Errorf("%q begins with no key: choose from %s, each in a line of its own", line, strings.Join(keys, ", "))
	case said[key]:
		return fmt.Errorf("%s is there twice: remove one", key)
	}
	said[key] = true
	if value == "" {
		return fmt.Errorf("%s is empty: write what it is", key)
	}
	switch key {
	case "broken":
		m.Broken = value
	case "promise":
		m.Promise = value
	case "seen":
		return m.setSeen(value)
	}
	return nil
}

func (m *Mutant) setSeen(value string) error {
	seen, err := regexp.Compile(value)
	if err != nil {
		return fmt.Errorf("seen %q is no regular expression: %w", value, err)
	}
	if seen.MatchString("") {
		return fmt.Errorf("seen %q matches any reason: write what the reason of this mutant must say", value)
	}
	m.Seen = seen
	return nil
}
