package bench

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPercentilesAreMeasuredValues(t *testing.T) {
	var s Sample
	for ms := range 100 {
		s.add(time.Duration(100-ms) * time.Millisecond) // 100 ms first, 1 ms last
	}
	for p, want := range map[float64]float64{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := s.Percentile(p); got != want {
			t.Errorf("percentile %v is %v, want %v", p, got, want)
		}
	}
	if s.MS[0] != 100 {
		t.Error("the order of the turns is lost")
	}
	if few := (Sample{MS: []float64{3, 1, 2}}); few.Percentile(99) != 3 || few.Percentile(50) != 2 {
		t.Errorf("of three: p99 %v, p50 %v; want 3, 2", few.Percentile(99), few.Percentile(50))
	}
}

func TestTurnsAlternateAndStopAtTheFirstError(t *testing.T) {
	var order []string
	note := func(who string) func(int) error {
		return func(int) error { order = append(order, who); return nil }
	}
	if err := turns(3, note("a"), note("b")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abbaab" {
		t.Errorf("order %s, want abbaab", got)
	}
	broken := errors.New("broken")
	order = nil
	if err := turns(3, note("a"), func(int) error { return broken }); !errors.Is(err, broken) || !slices.Equal(order, []string{"a"}) {
		t.Errorf("%v after %v, want broken after one turn", err, order)
	}
}

func TestReportShowsRatiosWhereThereIsSomethingToCompare(t *testing.T) {
	r := Report{Comparisons: []Comparison{
		{What: "both", Aim: 1.3, Ours: Sample{"bed", []float64{30, 10, 20}, 0}, Theirs: Sample{"plain", []float64{10, 10, 40}, 0}},
		{What: "alone", Ours: Sample{"inject", []float64{5}, 10 << 20}},
	}}
	var page strings.Builder
	if err := r.Table(&page); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(page.String(), "\n")
	for line, want := range map[int][]string{
		1: {"both", "2.000", "1.3"},
		2: {"bed", "3", "20.0", "30.0", "10.0", "30.0"},
		3: {"plain", "3", "10.0", "40.0", "10.0", "40.0"},
		4: {"alone"},
		5: {"inject", "1", "5.0", "5.0", "5.0", "5.0", "2000.0"},
	} {
		if got := strings.Fields(lines[line]); !slices.Equal(got, want) {
			t.Errorf("line %d is %q, want %q", line, got, want)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"what":"both","ratio":2,"aim":1.3`, `"ms":[30,10,20],"n":3,"p50_ms":20`, `{"what":"alone","ours":`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

func TestRotateLetsAnotherSideBeginEachTurn(t *testing.T) {
	var order []string
	note := func(who string) func() error { return func() error { order = append(order, who); return nil } }
	broken := errors.New("broken")
	for turn := range 4 {
		if err := rotate(turn, note("a"), note("b"), note("c")); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(order, ""); got != "abcbcacababc" {
		t.Errorf("order %s, want abcbcacababc", got)
	}
	order = nil
	err := rotate(1, note("a"), note("b"), func() error { return broken })
	if !errors.Is(err, broken) || !slices.Equal(order, []string{"b"}) {
		t.Errorf("%v after %v, want broken after b", err, order)
	}
}

func TestRateIsThatOfTheMedianTurn(t *testing.T) {
	s := Sample{MS: []float64{4000, 2000, 100}, Bytes: 1 << 30}
	if got := s.Rate(); got != 512 {
		t.Errorf("1 GiB in 2 s is %v MiB/s, want 512", got)
	}
	for _, none := range []Sample{{MS: []float64{1}}, {Bytes: 1}} {
		if got := none.Rate(); got != 0 {
			t.Errorf("rate of %+v is %v", none, got)
		}
	}
}

func TestMetricReadsWhatHasNoLabels(t *testing.T) {
	page := []byte("# HELP process_cpu_seconds_total Time.\nprocess_cpu_seconds_total 12.5\nheap 1.5e+06\nbytes{kind=\"x\"} 7\nbytes_total junk\n")
	for name, want := range map[string]float64{"process_cpu_seconds_total": 12.5, "heap": 1.5e6, "bytes": 0, "bytes_total": 0, "none": 0} {
		if got := metric(page, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestStillBearsTwoPercent(t *testing.T) {
	before := []float64{20, 10}
	for _, c := range []struct {
		after []float64
		want  bool
	}{
		{[]float64{20.4, 9.8}, true},
		{[]float64{20.4, 9.7}, false},
		{[]float64{20.5, 10}, false},
	} {
		if got := still(before, c.after); got != c.want {
			t.Errorf("%v after %v is still: %v", c.after, before, got)
		}
	}
}

func TestFiguresHaveATableOfTheirOwn(t *testing.T) {
	aimed := among("resident set", "MiB", []float64{19, 18, 21})
	aimed.Aim = 20
	r := Report{Figures: []Figure{aimed, {What: "CPU", Value: 2.5, Unit: "s a minute"}}}
	var page strings.Builder
	if err := r.Table(&page); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(page.String(), "\n")
	for line, want := range []string{"figures median most aim", "resident set 19.00 21.00 20.0 MiB", "CPU 2.50 s a minute"} {
		if got := strings.Join(strings.Fields(lines[line]), " "); got != want {
			t.Errorf("line %d is %q, want %q", line, got, want)
		}
	}
}

func TestPartsHaveNamesOfTheirOwn(t *testing.T) {
	names := Parts()
	slices.Sort(names)
	if len(slices.Compact(names)) != len(parts) {
		t.Errorf("two parts have one name: %v", names)
	}
}
