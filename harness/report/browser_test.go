package report_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// The page in a real browser. FAULTBED_SHOTS names a folder for pictures of it.

const browserWithin = 3 * time.Minute

// browse opens the page of a run that has every verdict, in a window of that size and
// with that colour scheme.
func browse(t *testing.T, wide, high int64, scheme string) (ctx context.Context, dir string) {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no chromium here: the report is not tried in a browser: apt-get install chromium")
	}
	dir = written(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WSURLReadTimeout(browserWithin))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first call
		t.Fatalf("start %s: %v", program, err)
	}
	ctx, stop = context.WithTimeout(ctx, browserWithin)
	t.Cleanup(stop)
	complain(ctx, t)
	phone := []chromedp.EmulateViewportOption{}
	if wide < 600 {
		phone = append(phone, chromedp.EmulateMobile)
	}
	do(ctx, t, chromedp.EmulateViewport(wide, high, phone...), media("", scheme), chromedp.Navigate("file://"+filepath.Join(dir, "report.html")))
	return ctx, dir
}

// media is a kind of medium, and whether it is dark.
func media(kind, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// complain fails the test for what a browser finds wrong, and for every request but that
// of the page itself.
func complain(ctx context.Context, t *testing.T) {
	t.Helper()
	var mu sync.Mutex
	var wrong []string
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasSuffix(e.Request.URL, "/report.html") && !strings.HasPrefix(e.Request.URL, "data:") {
				wrong = append(wrong, "it asks for "+e.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			wrong = append(wrong, fmt.Sprintf("its script fails: %+v", e.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			wrong = append(wrong, fmt.Sprintf("it says %v on the console", e.Type))
		case *cdplog.EventEntryAdded:
			wrong = append(wrong, "the browser says: "+e.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, w := range wrong {
			t.Error(w)
		}
	})
}

func do(ctx context.Context, t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// ask evaluates a script on the page.
func ask[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	return get(ctx, t, chromedp.Evaluate[T](script))
}

func get[T any](ctx context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tell(ctx context.Context, t *testing.T, script string) {
	t.Helper()
	ask[chromedp.Void](ctx, t, script)
}

// stored is a run that has every verdict, made of those in fixtures.
func stored(t *testing.T) history.Run {
	t.Helper()
	const histories = "../../fixtures/histories"
	names, err := filepath.Glob(filepath.Join(histories, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no stored histories: %v", err)
	}
	var all history.Run
	for _, name := range names {
		var run history.Run
		if err := history.Read(name, &run); err != nil {
			t.Fatal(err)
		}
		run.Scenarios = append(all.Scenarios, run.Scenarios...)
		all = run
	}
	return all
}

// written leaves the page of that run in a folder with the evidence that it links to.
func written(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	run := stored(t)
	for i := range run.Scenarios {
		s := &run.Scenarios[i]
		if s.Verdict == history.Pass || s.Verdict == history.NotApplicable {
			continue
		}
		s.Evidence = filepath.Join("evidence", fmt.Sprintf("an ill one #%d %%", i)) // names that a link must escape
		folder := filepath.Join(dir, s.Evidence)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"peer-1.log", "peer-1.pcapng", "peer-1.dfget.yaml", "peer-1.inspect.json", "history.json", "peer-1.goroutines.txt", "toxiproxy.json"} {
			if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "run.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // what was not written the browser will miss
	if err := report.Page(file, run, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func shoot(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	to := os.Getenv("FAULTBED_SHOTS")
	if to == "" {
		return
	}
	picture := get(ctx, t, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(to, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPageOpensAndItsLinksResolve(t *testing.T) {
	ctx, dir := browse(t, 1280, 900, "light")
	shoot(ctx, t, "desktop")
	links := ask[[]string](ctx, t, `Array.from(document.querySelectorAll("a[href]")).map(a => a.getAttribute("href"))`)
	captures := 0
	for _, link := range links {
		if id, ok := strings.CutPrefix(link, "#"); ok {
			if !ask[bool](ctx, t, fmt.Sprintf("document.getElementById(%q) !== null", id)) {
				t.Errorf("nothing is at %s", link)
			}
			continue
		}
		path, err := url.PathUnescape(link)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(os.DirFS(dir), path); err != nil {
			t.Errorf("link %q: %v", link, err)
		}
		if strings.HasSuffix(path, ".pcapng") {
			captures++
		}
	}
	if captures < 4 {
		t.Errorf("%d links to captures among %d, want one for each scenario that is not green", captures, len(links))
	}
	want := ask[int](ctx, t, `document.querySelectorAll('.scenario:not([data-verdict="PASS"]):not([data-verdict="N/A"]):not([data-verdict="KNOWN"])').length`)
	if open := ask[int](ctx, t, `document.querySelectorAll(".scenario[open]").length`); open != want || open == 0 {
		t.Errorf("%d scenarios are unfolded, want the %d that somebody has to act on", open, want)
	}
}

func TestChartsOfPageHaveData(t *testing.T) {
	ctx, _ := browse(t, 1280, 900, "light")
	tell(ctx, t, `document.querySelectorAll("details").forEach(d => d.open = true)`)
	type drawing struct {
		Chart        string
		Lines, Bands int
		Wide         float64
	}
	charts := ask[[]drawing](ctx, t, `Array.from(document.querySelectorAll("[data-chart] svg")).map(s => {
		const lines = Array.from(s.querySelectorAll('path[style*="fill:none"][style*="--"]')).filter(p => !p.getAttribute("style").includes("--grid"));
		return {Chart: s.parentNode.dataset.chart, Lines: lines.length, Wide: Math.max(...lines.map(l => l.getBoundingClientRect().width)),
			Bands: s.querySelectorAll('path[style*="--band"]').length};
	})`)
	if len(charts) < 9 {
		t.Errorf("%d charts, want three for each scenario that laid a bed", len(charts))
	}
	for _, c := range charts {
		if lines := map[string]int{"count": 1, "bytes": 3, "conns": 2}[c.Chart]; c.Lines < lines || c.Wide < 10 {
			t.Errorf("chart %s has %d lines, the widest of %.0f pixels; want %d", c.Chart, c.Lines, c.Wide, lines)
		}
	}
	// What lies under the pointer is told in words.
	told := ask[string](ctx, t, `(() => {
		const s = document.querySelector('[data-chart="bytes"] svg'), b = s.getBoundingClientRect();
		s.dispatchEvent(new PointerEvent("pointermove", {clientX: b.left + b.width * 0.6, clientY: b.top + 20}));
		return s.closest(".charts").querySelector(".at").textContent + s.parentNode.querySelector(".legend b").textContent;
	})()`)
	if !strings.HasPrefix(told, "at ") || !strings.HasSuffix(told, "B") {
		t.Errorf("under the pointer it says %q", told)
	}
}

func TestFilterOfPage(t *testing.T) {
	ctx, _ := browse(t, 1280, 900, "light")
	visible := `Array.from(document.querySelectorAll(".scenario")).filter(s => !s.hidden).map(s => s.dataset.verdict).join()`
	set := func(id, value string) {
		tell(ctx, t, fmt.Sprintf(`(() => {const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event("input"))})()`, id, value))
	}
	all := ask[string](ctx, t, visible)
	for _, c := range []struct{ id, value, want string }{
		{"f-verdict", "FAIL", "FAIL,FAIL"},
		{"f-text", "no such words", ""},
		{"f-text", "", "FAIL,FAIL"},
		{"f-verdict", "", all},
		{"f-text", "UNREACHABLE seed looks", "FAIL,KNOWN"},
		{"f-family", "proxy", ""},
		{"f-text", "", "N/A"},
	} {
		set(c.id, c.value)
		if got := ask[string](ctx, t, visible); got != c.want {
			t.Errorf("%s=%q shows %q, want %q", c.id, c.value, got, c.want)
		}
	}
	tell(ctx, t, `location.hash = document.querySelector('.scenario[data-verdict="PASS"]').id`)
	do(ctx, t, chromedp.WaitVisible(chromedp.CSS(`.scenario[data-verdict="PASS"][open] .story`)))
}

func TestAnExceededBudgetStandsOut(t *testing.T) {
	ctx, _ := browse(t, 1280, 900, "light")
	over := ask[string](ctx, t, `Array.from(document.querySelectorAll("section")).filter(s => s.querySelector("h3")?.textContent === "Budgets")
		.flatMap(s => Array.from(s.querySelectorAll("tr"))).filter(r => r.querySelector(".ill")).map(r => Array.from(r.cells).map(c => c.textContent).join(" ")).join("; ")`)
	if want := "wasted bytes 293.1 MiB 16.0 MiB peer-2"; over != want {
		t.Errorf("over budget is %q, want %q", over, want)
	}
}

func TestPageFitsAPhone(t *testing.T) {
	ctx, _ := browse(t, 360, 740, "light")
	tell(ctx, t, `document.querySelectorAll("details").forEach(d => d.open = true)`)
	if wide := ask[int](ctx, t, `document.documentElement.scrollWidth`); wide > 360 {
		wider := ask[[]string](ctx, t, `Array.from(document.querySelectorAll("body *")).filter(e => e.getBoundingClientRect().right > 361 && !e.closest(".scroll")).slice(0, 5).map(e => e.outerHTML.slice(0, 120))`)
		t.Errorf("the page is %d pixels wide on a phone of 360: %q", wide, wider)
	}
	if small := ask[float64](ctx, t, `Math.min(...Array.from(document.querySelectorAll("svg.chart text")).map(e => e.getBoundingClientRect().height))`); small < 8 {
		t.Errorf("letters in charts are %.1f pixels high", small)
	}
	tell(ctx, t, `document.querySelectorAll(".scenario:not(:first-of-type)").forEach(d => d.open = false)`)
	shoot(ctx, t, "phone")
}

// contrast finds text that stands out from what is behind it by less than WCAG 2.2 asks:
// 4.5, or 3 for large letters. Pale counts of nought are meant to be pale.
const contrast = `(() => {
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return [m[0], m[1], m[2], m.length > 3 ? m[3] : 1]; };
	const light = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
	const behind = e => { for (; e; e = e.parentElement) { const b = parse(getComputedStyle(e).backgroundColor); if (b[3] > 0.99) return b; } return [255, 255, 255, 1]; };
	const bad = [];
	document.querySelectorAll("body *").forEach(e => {
		const own = Array.from(e.childNodes).some(n => n.nodeType === 3 && n.textContent.trim());
		if (!own || e.closest(".none, script, style, option") || !e.getClientRects().length) return;
		const s = getComputedStyle(e), drawn = e.closest("svg");
		const a = light(parse(drawn ? s.fill : s.color)), b = light(behind(drawn || e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(s.fontSize);
		if (ratio < (size >= 24 || size >= 18.6 && s.fontWeight >= 700 ? 3 : 4.5)) bad.push(ratio.toFixed(1) + " " + e.outerHTML.slice(0, 100));
	});
	return bad;
})()`

func TestPageCanBeReadInLightAndDark(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			ctx, _ := browse(t, 1280, 900, scheme)
			tell(ctx, t, `document.querySelectorAll("details").forEach(d => d.open = true)`)
			for _, pale := range ask[[]string](ctx, t, contrast) {
				t.Errorf("too little contrast: %s", pale)
			}
			back := ask[string](ctx, t, `getComputedStyle(document.body).backgroundColor`)
			if dark := back == "rgb(18, 21, 26)"; dark != (scheme == "dark") {
				t.Errorf("the background is %s", back)
			}
			shoot(ctx, t, scheme)
		})
	}
}

func TestPageGoesOnPaper(t *testing.T) {
	ctx, _ := browse(t, 1280, 900, "dark")
	paper := get(ctx, t, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4)))
	do(ctx, t, media("print", "dark"))
	if back := ask[string](ctx, t, `getComputedStyle(document.body).backgroundColor`); back != "rgb(255, 255, 255)" {
		t.Errorf("on paper the background is %s", back)
	}
	if ask[bool](ctx, t, `document.querySelector(".filter").getClientRects().length > 0`) {
		t.Error("the filter is on paper, too")
	}
	if to := os.Getenv("FAULTBED_SHOTS"); to != "" {
		if err := os.WriteFile(filepath.Join(to, "print.pdf"), paper, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
