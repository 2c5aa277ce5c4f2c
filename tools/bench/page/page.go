// Package page draws a benchmark report as one HTML page with SVG charts.
package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

//go:embed page.html
var skeleton string

//go:embed page.css
var look string

// Report is everything that one run found: bench.json.
type Report struct {
	At      time.Time `json:"at"`
	Quick   bool      `json:"quick,omitempty"`
	Machine Machine   `json:"machine"`
	Parts   []Part    `json:"rows"`
}

// Machine is what it ran on.
type Machine struct {
	CPU       string `json:"cpu"`
	Cores     int    `json:"cores"`
	MemoryGiB int    `json:"memory_gib"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
}

// Part is one row with its lines.
type Part struct {
	Name    string     `json:"name"`
	What    string     `json:"what"`
	Seconds float64    `json:"seconds"`
	Error   string     `json:"error,omitempty"`
	Lines   []row.Line `json:"lines"`
}

// Render draws the report: one file that loads nothing and runs nothing, for light and dark screens, wide and narrow.
func Render(r Report) ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"px": px}).Parse(skeleton)
	if err != nil {
		return nil, fmt.Errorf("draw the report: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, newView(r)); err != nil {
		return nil, fmt.Errorf("draw the report: %w", err)
	}
	return out.Bytes(), nil
}
