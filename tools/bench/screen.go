package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// screen shows how far the run is: a bar that is drawn again in place.
type screen struct {
	out         io.Writer
	rows, row   int
	name        string
	steps, done int
	began       time.Time
}

func newScreen(out io.Writer, rows int) *screen {
	return &screen{out: out, rows: rows, began: time.Now()}
}

func (s *screen) begin(r row.Row) {
	s.row++
	s.name, s.steps, s.done = r.Name, 0, 0
	s.draw()
}

func (s *screen) plan(steps int) { s.steps = steps; s.draw() }

func (s *screen) step() { s.done++; s.draw() }

// say puts a line above the bar.
func (s *screen) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "\r\033[K  %s: %s\n", s.name, fmt.Sprintf(format, args...))
	s.draw()
}

func (s *screen) end(err error) {
	word := "done"
	if err != nil {
		word = "FAILED: " + err.Error()
	}
	s.say("%s", word)
}

func (s *screen) close() { _, _ = fmt.Fprint(s.out, "\r\033[K") }

func (s *screen) draw() {
	const width = 24
	part := 0.0
	if s.steps > 0 {
		part = min(float64(s.done)/float64(s.steps), 1)
	}
	all := (float64(s.row-1) + part) / float64(s.rows)
	full := int(all * width)
	_, _ = fmt.Fprintf(s.out, "\r\033[K%s%s %3.0f%%  %d/%d %s  %s", strings.Repeat("█", full), strings.Repeat("░", width-full), all*100,
		s.row, s.rows, s.name, time.Since(s.began).Round(time.Second))
}
