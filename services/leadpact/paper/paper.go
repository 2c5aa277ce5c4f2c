// Package paper is the agreement as people sign it: a page to print, and the meetings and reviews as a calendar file. It is pure.
package paper

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"github.com/leadpact/leadpact/internal/agreement"
)

//go:embed paper.html
var skeleton string

//go:embed paper.css
var look string

// Size is a paper size as CSS names it.
type Size string

// The sizes.
const (
	A4     Size = "A4"
	Letter Size = "letter"
)

// Sheet is what is printed beside the agreement.
type Sheet struct {
	Size Size
	// Roster says whose hours "of the rep" are; nil when nobody brings one. It is shown as what it is: not signed.
	Roster *agreement.Roster
	// Seal are signatures that hold; nil leaves room for pens alone.
	Seal *agreement.Seal
}

// HTML draws the agreement as one page that loads nothing and runs nothing: for paper first, and for light and dark screens. The same
// agreement and sheet give the same bytes.
func HTML(a *agreement.Agreement, s Sheet) ([]byte, error) {
	if s.Size != A4 && s.Size != Letter {
		return nil, fmt.Errorf("draw the agreement on %q: the sizes are %s and %s", s.Size, A4, Letter)
	}
	t, err := template.New("paper").Funcs(template.FuncMap{"px": px}).Parse(skeleton)
	if err != nil {
		return nil, fmt.Errorf("draw the agreement: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, newView(a, s)); err != nil {
		return nil, fmt.Errorf("draw the agreement: %w", err)
	}
	return out.Bytes(), nil
}
