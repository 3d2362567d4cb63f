package harness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// JournalName is the file in a run's folder that says, line by line and as it happens,
// what the run does. A scenario that ends leaves a record; of one that was killed this
// is what is left.
const JournalName = "journal.jsonl"

// Doing is what a run, or a bed of it, is at.
type Doing string

// What a journal tells of, each when it begins and when it is done. Opening and closing
// are the session's, all else is a bed's.
const (
	Opening     Doing = "opening"
	Laying      Doing = "laying"
	Injecting   Doing = "injecting"
	Downloading Doing = "downloading"
	Healing     Doing = "healing"
	Stopping    Doing = "stopping"
	Closing     Doing = "closing"
)

// Mark is one line of a journal.
type Mark struct {
	At       time.Time `json:"at"`
	Session  string    `json:"session"`
	Bed      string    `json:"bed,omitempty"`
	Scenario string    `json:"scenario,omitempty"`
	Doing    Doing     `json:"doing"`
	Done     bool      `json:"done,omitempty"`
	Text     string    `json:"text,omitempty"`
}

// note adds a line to the journal of a run that has a folder. The processes of a run
// write to one file: a line is one write, which the kernel appends whole. A run that
// cannot say what it does does it all the same.
func (s *Session) note(m Mark) {
	m.At, m.Session = time.Now(), s.ID
	writeMark(s.RunDir, m)
}

func writeMark(dir string, m Mark) {
	line, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and a time
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return
	}
	file, err := os.OpenFile(filepath.Join(dir, JournalName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	_, _ = file.Write(append(line, '\n'))
	_ = file.Close()
}

// note adds a line of a bed's to the journal.
func (b *Bed) note(doing Doing, done bool, text string) {
	b.session.note(Mark{Bed: b.name, Scenario: b.tb.Name(), Doing: doing, Done: done, Text: text})
}

// ReadJournal reads what the journal in a run's folder says so far; nothing if there is
// none. A last line that is still being written is left out.
func ReadJournal(dir string) ([]Mark, error) {
	file, err := os.Open(filepath.Join(dir, JournalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	var marks []Mark
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var m Mark
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			break
		}
		marks = append(marks, m)
	}
	return marks, nil
}
