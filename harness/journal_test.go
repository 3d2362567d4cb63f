package harness

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	if marks, err := ReadJournal(dir); err != nil || marks != nil {
		t.Errorf("no journal: %v, %v", marks, err)
	}
	first := Mark{At: time.Unix(1, 0).UTC(), Session: "s", Doing: Opening}
	second := Mark{At: time.Unix(2, 0).UTC(), Session: "s", Bed: "s-1-1", Scenario: "a \"scenario\"\nin two lines", Doing: Injecting, Done: true, Text: "x"}
	writeMark(dir, first)
	writeMark(dir, second)
	file, err := os.OpenFile(filepath.Join(dir, JournalName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"at":"2026-`); err != nil { // a line that is being written
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	marks, err := ReadJournal(dir)
	if err != nil || len(marks) != 2 || marks[0] != first || marks[1] != second {
		t.Errorf("read %+v, %v", marks, err)
	}
}

// A session that nobody gave a folder to leaves no journal, nor a folder.
func TestJournalMakesNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	writeMark(dir, Mark{})
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made")
	}
}
