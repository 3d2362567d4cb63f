package nodelog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/nodelog"
	"github.com/faultbed/faultbed/harness/system"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func line(ms int, level, text string) string {
	return fmt.Sprintf(`{"time":%q,"level":%q,"msg":%q}`, after(ms).Format(time.RFC3339Nano), level, text)
}

func failed(ms int, target string) system.Diagnosis {
	return system.Diagnosis{At: after(ms), Step: "list", Target: target, Cause: "refused", Error: "refused by " + target}
}

func TestComplaintsAreGroupedOnTheBedsClock(t *testing.T) {
	log := nodelog.Log{
		Node:   "peer-1",
		Text:   []byte(line(900, "WARN", "connection failed a") + "\n" + line(1500, "WARN", "connection failed b") + "\n" + line(2000, "WARN", "connection failed c") + "\n" + line(3500, "WARN", "connection failed d")),
		Failed: []system.Diagnosis{failed(1500, "seed-1:65000"), failed(900, "seed-2:65000"), failed(2000, "seed-1:65000"), failed(3500, "seed-1:65000")},
	}
	grouped, times := nodelog.Complaints(start, 3000, []nodelog.Log{log})
	want := []history.Complaint{
		{Node: "peer-1", Step: "list", Target: "seed-2:65000", Cause: "refused", Count: 1, FirstMS: 900, LastMS: 900, Error: "refused by seed-2:65000", Line: line(900, "WARN", "connection failed a")},
		{Node: "peer-1", Step: "list", Target: "seed-1:65000", Cause: "refused", Count: 2, FirstMS: 1500, LastMS: 2000, Error: "refused by seed-1:65000", Line: line(1500, "WARN", "connection failed b")},
		{Node: "peer-1", Step: "list", Target: "seed-1:65000", Cause: "refused", Count: 1, FirstMS: 3500, LastMS: 3500, Error: "refused by seed-1:65000", Line: line(3500, "WARN", "connection failed d")},
	}
	if d := cmp.Diff(want, grouped); d != "" {
		t.Errorf("complaints differ:\n%s", d)
	}
	if d := cmp.Diff([]int64{900, 1500, 2000, 3500}, times); d != "" {
		t.Errorf("times differ:\n%s", d)
	}
}

func TestManyComplaintsStaySmall(t *testing.T) {
	log := nodelog.Log{Node: "peer-1"}
	for i := range 1000 {
		log.Failed = append(log.Failed, failed(i, fmt.Sprintf("seed-%d:65000", i)))
	}
	log.Failed = append(log.Failed, failed(2000, "seed-999:65000"), failed(3001, "put-away:65000"), failed(3002, "put-away:65000"), failed(3003, "put-away:65000"))
	grouped, times := nodelog.Complaints(start, 3000, []nodelog.Log{log})
	if len(grouped) != 120 || len(times) != 1004 || grouped[119].Target != "seed-999:65000" {
		t.Errorf("%d groups of %d complaints, the last about %s; want 120, the most frequent among them", len(grouped), len(times), grouped[len(grouped)-1].Target)
	}
}

func TestWarningsAreLinesOfAnyFormat(t *testing.T) {
	text := strings.Join([]string{
		line(100, "INFO", "peer started"),
		line(200, "WARN", "connection failed"), // told as a complaint
		line(300, "WARN", "upload 17 failed"),
		line(400, "WARN", "upload 18 failed"), // says the same
		line(500, "ERROR", "task failed"),
		"2026-01-02T03:04:05.600Z\tERROR\tpeer/x.go:1\tno scheduler\t{}",
		"2026-01-02T03:04:05.700Z\tINFO\tpeer/x.go:1\tfine",
		"panic: nil map",
	}, "\n")
	log := nodelog.Log{Node: "peer-1", Text: []byte(text), Failed: []system.Diagnosis{failed(200, "x")}}
	var got []string
	for _, l := range nodelog.Warnings(start, []nodelog.Log{log}) {
		got = append(got, fmt.Sprintf("%d %s", l.AtMS, l.Text[max(0, len(l.Text)-14):]))
	}
	want := []string{"0 panic: nil map", `300 d 17 failed"}`, `500 task failed"}`, "600 no scheduler\t{}"}
	for i := range want { // by their ends
		if i >= len(got) || !strings.HasPrefix(got[i], strings.Fields(want[i])[0]) {
			t.Fatalf("warnings are %q, want %q", got, want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("warnings are %q, want %q", got, want)
	}
}

func TestErrorsComeBeforeWarningsWhereThereAreTooMany(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		text.WriteString(line(i, "WARN", "w"+strings.Repeat("x", i)) + "\n")
	}
	text.WriteString(line(500, "ERROR", strings.Repeat("ü", 2000)))
	got := nodelog.Warnings(start, []nodelog.Log{{Node: "n", Text: []byte(text.String())}})
	if len(got) != 40 || got[39].AtMS != 500 || len(got[39].Text) > 620 {
		t.Errorf("%d lines, the last at %d ms with %d bytes; want 40, the error among them, cut", len(got), got[39].AtMS, len(got[39].Text))
	}
}
