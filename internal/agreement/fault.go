package agreement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fault is one thing wrong in a file, at the place where a person must change it.
//
//nolint:errname // it is what people call it, and more than an error
type Fault struct {
	File string
	// Line and Column count from 1; a column is a character, not a byte. A fault of the whole file stands at 1:1.
	Line, Column int
	// Path is the way to the value: "clocks[0].within". Empty for faults of the text itself.
	Path    string
	Message string
	// Hint says what to do; it may be empty.
	Hint string
	// Secret says that the line seems to hold a secret, so that nobody may print it.
	Secret bool

	// raw are Message and Hint with elsewhere for each of lines, when they name other lines of the text.
	raw   [2]string
	lines []int
}

// elsewhere stands in the words of a fault for a line that they name. No word that is quoted has it.
const elsewhere = "\x00"

// naming puts the lines where Message and Hint have elsewhere, and keeps them: among several files they are said otherwise.
func (f Fault) naming(lines ...int) Fault {
	out := f
	out.raw, out.lines = [2]string{f.Message, f.Hint}, lines
	return out.said(func(line int) string { return fmt.Sprintf("line %d", line) })
}

// said is the fault with where for each of its lines.
func (f Fault) said(where func(line int) string) Fault {
	words := f.raw
	for i, rest := 0, f.lines; i < len(words); i++ {
		for ; len(rest) > 0 && strings.Contains(words[i], elsewhere); rest = rest[1:] {
			words[i] = strings.Replace(words[i], elsewhere, where(rest[0]), 1)
		}
	}
	f.Message, f.Hint = words[0], words[1]
	return f
}

// Error is the fault on one line, its hint in brackets.
func (f Fault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}

// Faults are why a file is refused, as one error with a line for each.
//
//nolint:errname // as Fault
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, 0, len(fs))
	for _, f := range fs {
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

// same says whether two faults say the same of the same place.
func (f Fault) same(o Fault) bool { return f.Error() == o.Error() && f.Path == o.Path }

// maxFaults is where collecting ends; who has so many has another kind of file in hand.
const maxFaults = 500

// place is a character of the text, counted from 1.
type place struct{ line, column int }

// faults collects what is wrong in one file. Each place and message is kept once.
type faults struct {
	file string
	list []Fault
}

func (fs *faults) add(f Fault) {
	if len(fs.list) >= maxFaults {
		return
	}
	f.File = fs.file
	f.Line, f.Column = max(f.Line, 1), max(f.Column, 1)
	fs.list = append(fs.list, f)
}

// at reports a fault of the value n.
func (fs *faults) at(n *node, message, hint string) {
	fs.add(Fault{Line: n.line, Column: n.column, Path: n.path, Message: message, Hint: hint})
}

// beside reports a fault of the value n whose words name other lines, each where they have elsewhere.
func (fs *faults) beside(n *node, message, hint string, lines ...int) {
	fs.add(Fault{Line: n.line, Column: n.column, Path: n.path, Message: message, Hint: hint}.naming(lines...))
}

// choose is the hint for a word that is not among the choices, as long as a fault can still be kept.
func (fs *faults) choose(word string, choices []string) string {
	if len(fs.list) >= maxFaults {
		return ""
	}
	return choose(word, choices)
}

// sorted returns the faults in the order of the text.
func (fs *faults) sorted() []Fault {
	slices.SortStableFunc(fs.list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(fs.list, Fault.same)
}

// choose is the hint for a word that is not among the choices.
func choose(word string, choices []string) string {
	if len(choices) == 0 {
		return "none is declared"
	}
	if near := nearest(word, choices); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(choices) > 12 {
		return "choose one of " + strings.Join(choices[:12], ", ") + ", …"
	}
	return "choose one of " + strings.Join(choices, ", ")
}

// nearest is the choice that a typing error would turn into word, or "".
func nearest(word string, choices []string) string {
	const longest = 40
	if len(word) > longest {
		return ""
	}
	choices = choices[:min(len(choices), 200)] // comparing takes time, and nobody has more in mind
	best, distance := "", max(1, utf8.RuneCountInString(word)/3)+1
	for _, c := range choices {
		if len(c) > longest {
			continue
		}
		if d := edits(strings.ToLower(word), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// edits counts the letters to insert, remove, replace or swap with their neighbour to turn a into b.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row := make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			same := 1
			if x[i] == y[j] {
				same = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+same)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
