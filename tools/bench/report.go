package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/leadpact/leadpact/tools/bench/page"
	"github.com/leadpact/leadpact/tools/bench/row"
)

// newReport begins a report of this machine, now.
func newReport(quick bool) *report {
	return &report{Report: page.Report{
		At: time.Now().UTC().Truncate(time.Second), Quick: quick,
		Machine: page.Machine{CPU: cpu(), Cores: runtime.NumCPU(), MemoryGiB: memory(), Kernel: kernel(), Go: runtime.Version()},
	}}
}

type report struct{ page.Report }

func (r *report) add(of row.Row, lines []row.Line, took time.Duration, err error) {
	for i := range lines {
		lines[i].Row = of.Name
	}
	p := page.Part{Name: of.Name, What: of.What, Seconds: math.Round(took.Seconds()*10) / 10, Lines: lines}
	if err != nil {
		p.Error = err.Error()
	}
	r.Parts = append(r.Parts, p)
}

// table is the report for a terminal.
func (r *report) table() string {
	rows := [][]string{{"row", "what", "ours", "ceiling", "measured", "spread", "goal", "holds"}}
	for _, p := range r.Parts {
		for _, l := range p.Lines {
			ceiling, spread, goal, holds := "", "", "", ""
			if l.Ceiling != nil {
				ceiling = l.Ceiling.String()
			}
			if s := l.Spread; s != nil && l.Goal != nil {
				spread = row.Figure{Value: s.Low}.String() + " to " + row.Figure{Value: s.High}.String()
			}
			if l.Goal != nil {
				goal, holds = l.Goal.String(), l.Verdict()
			}
			rows = append(rows, []string{l.Row, l.What, l.Ours.String(), ceiling, l.Measured.String(), spread, goal, holds})
		}
		if p.Error != "" {
			rows = append(rows, []string{p.Name, "failed: " + p.Error, "", "", "", "", "", "NO"})
		}
	}
	width := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, c := range cells {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	for _, cells := range rows {
		line := ""
		for i, c := range cells {
			line += c + strings.Repeat(" ", width[i]-len([]rune(c))+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if r.Quick {
		b.WriteString("a quick run: every path was taken; the figures say nothing about speed\n")
	}
	return b.String()
}

// write stores the figures and the charts.
func (r *report) write(figures, charts string) error {
	data, err := json.MarshalIndent(r.Report, "", "  ")
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := os.WriteFile(figures, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	html, err := page.Render(r.Report)
	if err != nil {
		return err
	}
	if err := os.WriteFile(charts, html, 0o644); err != nil {
		return fmt.Errorf("write the charts: %w", err)
	}
	return nil
}

// field is the value of "name : value" in a file of /proc.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func cpu() string { return field("/proc/cpuinfo", "model name") }

func memory() int {
	var kib int
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kib); err != nil {
		return 0
	}
	return int(math.Round(float64(kib) / (1 << 20)))
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
