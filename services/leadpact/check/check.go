// Package check shows the faults of an agreement or a roster to the person who has to mend them.
package check

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/leadpact/leadpact/internal/agreement"
)

// Writer shows faults. The zero Writer shows them without colour.
type Writer struct {
	Colour bool
	// Warnings says that the faults keep nothing from running.
	Warnings bool
}

// Write shows faults without colour: see Writer.Write.
func Write(w io.Writer, text []byte, faults []agreement.Fault) error {
	return Writer{}.Write(w, text, faults)
}

// Write shows each fault of the text as file:line:column and message, the line with a caret under the place, and the hint.
// A line that seems to hold a secret ends where the secret would begin. The error is that of w.
func (o Writer) Write(w io.Writer, text []byte, faults []agreement.Fault) error {
	secrets := map[int]int{} // by line, the first column that may not be shown
	for _, f := range faults {
		if from, ok := secrets[f.Line]; f.Secret && (!ok || f.Column < from) {
			secrets[f.Line] = f.Column
		}
	}
	lines := strings.Split(string(bytes.TrimPrefix(text, []byte("\ufeff"))), "\n")
	var out bytes.Buffer
	for i, f := range faults {
		if i > 0 {
			out.WriteByte('\n')
		}
		message := o.paint(red, f.Message)
		if o.Warnings {
			message = o.paint(gold, "warning: "+f.Message)
		}
		fmt.Fprintf(&out, "%s: %s\n", o.paint(bold, fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)), message)
		if f.Line >= 1 && f.Line <= len(lines) {
			line := []rune(strings.TrimSuffix(lines[f.Line-1], "\r"))
			if from, ok := secrets[f.Line]; ok && from <= len(line) {
				line = append(line[:max(from-1, 0)], '…')
			}
			o.excerpt(&out, line, f)
		}
		if f.Hint != "" {
			fmt.Fprintf(&out, "  %s %s\n", o.paint(cyan, "hint:"), f.Hint)
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("show %d faults: %w", len(faults), err)
	}
	return nil
}

// Files shows the faults of several files, each with its own text, in the order of the files.
func (o Writer) Files(w io.Writer, files []agreement.File, faults []agreement.Fault) error {
	shown := false
	for _, f := range files {
		var own []agreement.Fault
		for _, fault := range faults {
			if fault.File == f.Name {
				own = append(own, fault)
			}
		}
		if len(own) == 0 {
			continue
		}
		if shown {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return fmt.Errorf("show faults: %w", err)
			}
		}
		shown = true
		slices.SortStableFunc(own, func(a, b agreement.Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		if err := o.Write(w, f.Text, own); err != nil {
			return err
		}
	}
	return nil
}

// most is how many characters of a line are shown, so that the caret stays under its place in a terminal.
const most = 100

func (o Writer) excerpt(out *bytes.Buffer, line []rune, f agreement.Fault) {
	at := min(max(f.Column-1, 0), len(line))
	start, before, after := 0, "", ""
	if at > most*3/4 {
		start, before = at-most/2, "…"
	}
	end := len(line)
	if end-start > most {
		end, after = start+most, "…"
	}
	margin := strconv.Itoa(f.Line) + " | "
	fmt.Fprintf(out, "  %s%s%s%s\n", o.paint(dim, margin), before, visible(line[start:end]), after)
	fmt.Fprintf(out, "  %s%s%s\n", strings.Repeat(" ", len(margin)+columns(before)), blank(line[start:at]), o.paint(red, "^"))
}

// visible replaces what a terminal would act upon.
func visible(line []rune) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, string(line))
}

// blank is white space as wide as the text: tabs stay tabs.
func blank(line []rune) string {
	var out strings.Builder
	for _, r := range visible(line) {
		if r == '\t' {
			out.WriteByte('\t')
			continue
		}
		out.WriteString(strings.Repeat(" ", columns(string(r))))
	}
	return out.String()
}

// columns is how many cells of a terminal the text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.Is(unicode.Mn, r):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

type colour string

const (
	bold colour = "1"
	dim  colour = "2"
	red  colour = "31"
	cyan colour = "36"
	gold colour = "33"
)

func (o Writer) paint(c colour, s string) string {
	if !o.Colour {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}
