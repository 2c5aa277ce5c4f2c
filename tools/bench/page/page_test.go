package page

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// update rewrites the golden file: go test ./bench/page -update, and then look at it in a browser.
var update = flag.Bool("update", false, "rewrite testdata")

// sample has one of everything: pairs with a goal each way, a difference, pairs that explain nothing, a curve, information, an error.
func sample() Report {
	added := row.Against("CPU added to a request", "µs", []row.Pair{{Ours: 27, Ceiling: 14}, {Ours: 29, Ceiling: 14}, {Ours: 28, Ceiling: 14}}, nil)
	added.Measured, added.Goal, added.Holds = row.Figure{Value: 14, Unit: "µs"}, row.AtMost(15, "µs"), true
	odd := row.Against("pairs that do not say what was measured", "/s", []row.Pair{{Ours: 30e3, Ceiling: 40e3}}, nil)
	odd.Measured = row.Figure{Value: 3, Unit: "GB"}
	grown := row.Alone("throughput at 1 million leads over 10 thousand", row.Figure{Value: 0.71, Unit: "×"}, row.AtLeast(0.8, "×"))
	grown.Curve = &row.Curve{X: "leads stored", Y: "leads a second", LogX: true, Series: []row.Serie{
		{Name: "PostgreSQL", Points: []row.Point{{X: 1e6, Y: 20e3}, {X: 1e4, Y: 28e3}, {X: 1e5, Y: 25e3}}},
		{Name: "SQLite with a long name", Points: []row.Point{{X: 1e4, Y: 28e3}, {X: 1e6, Y: 19.9e3}}},
	}}
	grown.Note = "stored leads <are> \"real\""
	return Report{
		At:      time.Date(2026, 1, 31, 9, 5, 0, 0, time.FixedZone("", 3600)),
		Machine: Machine{CPU: "A processor & more", Cores: 2, MemoryGiB: 8, Kernel: "6.8", Go: "go1.26.8"},
		Parts: []Part{
			{Name: "door", What: "signed webhook to 202", Seconds: 118.4, Lines: []row.Line{
				row.Against("64 connections", "/s", []row.Pair{{Ours: 40e3, Ceiling: 62.5e3}, {Ours: 42e3, Ceiling: 60e3}, {Ours: 41e3, Ceiling: 63e3}}, row.AtLeast(0.6, "×")),
				added, odd, row.Alone("fsyncs for each 1,000", row.Figure{Value: 118.3}, nil),
			}},
			{Name: "growth", What: "what it costs to grow", Seconds: 12, Lines: []row.Line{grown}},
			{Name: "fsync", What: "what a lead costs", Error: "strace is missing: <script>alert(1)</script>"},
		},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const golden = "testdata/page.html"
	got, err := Render(sample())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d is\n%s\nand was\n%s\n(-update when it is meant to be)", i+1, a[i], b[i])
			}
		}
		t.Fatalf("%d lines, there were %d", len(a), len(b))
	}
}

// TestStandsAlone: nothing is loaded, nothing runs, and what a report says stays text.
func TestStandsAlone(t *testing.T) {
	t.Parallel()
	html, err := Render(sample())
	if err != nil {
		t.Fatal(err)
	}
	page := string(html)
	if m := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|use)\b|\bon\w+=|url\(|@import|(src|href)="[^#]|https?:`).FindString(page); m != "" {
		t.Errorf("the page holds %q", m)
	}
	for _, want := range []string{
		"&lt;script&gt;alert(1)&lt;/script&gt;", "stored leads &lt;are&gt;", "A processor &amp; more", "31 January 2026, 08:05 UTC", "2 of 3 goals hold",
		"✓ holds", "✗ falls short", "! did not finish", "took 1 min 58 s", "prefers-color-scheme: dark", "≤\u00a015\u00a0µs", "ours − ceiling, µs", "ours ÷ ceiling, ×",
		"ours ● and ceiling ○, a second", "<title>SQLite with a long name</title>", "SQLite with a l…",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page holds what no reader understands")
	}
}

// TestPoor draws what a run can come to when it goes badly.
func TestPoor(t *testing.T) {
	t.Parallel()
	zero := row.Against("nothing was done", "/s", []row.Pair{{}, {Ours: 1}}, row.AtLeast(1, "×"))
	flat := row.Alone("flat", row.Figure{}, nil)
	flat.Curve = &row.Curve{X: "x", Y: "y", LogX: true, Series: []row.Serie{{Name: "one", Points: []row.Point{{X: 0, Y: 0}}}, {Name: "none"}}}
	bare := row.Alone("bare", row.Figure{}, nil)
	bare.Curve = &row.Curve{}
	for name, c := range map[string]struct {
		report Report
		want   string
	}{
		"nothing":          {Report{}, "No goal was measured"},
		"nothing counts":   {Report{Quick: true, Parts: sample().Parts}, "A quick run"},
		"one holds":        {Report{Parts: []Part{{Lines: []row.Line{row.Alone("a", row.Figure{Value: 1}, row.AtLeast(1, ""))}}}}, "The goal holds"},
		"all hold":         {Report{Parts: []Part{{Lines: []row.Line{row.Alone("a", row.Figure{}, row.AtMost(1, "")), row.Alone("b", row.Figure{}, row.AtMost(1, ""))}}}}, "All 2 goals hold"},
		"a ratio over 0":   {Report{Parts: []Part{{Lines: []row.Line{zero}}}}, "0 of 1 goals hold"},
		"curves of naught": {Report{Parts: []Part{{Lines: []row.Line{flat, bare}}}}, "No goal was measured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			html, err := Render(c.report)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(html), "<h1>"+c.want+"</h1>") {
				t.Errorf("the page does not say %q", c.want)
			}
			if m := regexp.MustCompile(`(?:x|y|x1|y1|x2|y2|d|width|height)="[^"]*(NaN|Inf)[^"]*"`).FindString(string(html)); m != "" {
				t.Errorf("drawn at %s", m)
			}
		})
	}
}
