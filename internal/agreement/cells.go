package agreement

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// subject is one thing that conditions look at, as a field or the score. What it can be is cut into cells: no condition at hand tells
// two values of one cell apart. So a condition is a question about cells, and there are few of them.
type subject struct {
	variable
	name string
	limit
	// field says that the value may be unknown; it then reads as the zero value.
	field bool
	// fails says of a question that is not looked into that its answer may be an error.
	fails bool

	// What the conditions compare it with.
	numbers map[float64]bool
	texts   map[string]bool
	lower   map[string]bool // compared with the text in lower case

	cells []cell
	all   set
}

// limit is what is known of a subject beforehand.
type limit struct {
	least, most float64
	whole       bool
	// words are all texts that there are; nil when there is no end of them.
	words []string
}

// limits are by the subjects' names; who is not named has none.
type limits map[string]limit

func unlimited() limit { return limit{least: math.Inf(-1), most: math.Inf(1)} }

// counted is where did("…") stops counting: a lead's knowledge keeps so many deeds of a kind.
const counted = 32

// cell is a set of values, with one of them to ask about.
type cell struct {
	unknown bool
	number  float64
	text    string
	flag    bool
	// other are all texts that no condition names; with inLower, those of them that are text in lower case.
	other, inLower bool
}

// The cells of a question that is not looked into.
const (
	isFalse = iota
	isTrue
	isError
)

func newSubject(name string, v variable, known limit) *subject {
	s := &subject{variable: v, name: name, limit: known, numbers: map[float64]bool{}, texts: map[string]bool{}, lower: map[string]bool{}}
	s.field = strings.HasPrefix(name, "lead.")
	if strings.HasPrefix(name, hidden("did", "")) {
		s.limit = limit{least: 0, most: counted, whole: true}
	}
	return s
}

// cut makes the cells, when all conditions are read.
func (s *subject) cut() {
	s.cells = nil
	if s.field {
		s.cells = append(s.cells, cell{unknown: true})
	}
	switch {
	case s.text != nil:
		s.cutTexts()
	case s.number != nil:
		s.cutNumbers()
	default:
		s.cells = append(s.cells, cell{flag: false}, cell{flag: true})
		if s.fails {
			s.cells = append(s.cells, cell{})
		}
	}
	s.all = newSet(len(s.cells))
	for i := range s.cells {
		s.all.add(i)
	}
}

func (s *subject) cutTexts() {
	if s.words != nil {
		for _, w := range s.words {
			s.cells = append(s.cells, cell{text: w})
		}
		return
	}
	s.texts[""] = true
	for text := range s.lower {
		if !cased(text) {
			s.texts[text] = true // no other text is it in lower case
		}
	}
	for _, text := range slices.Sorted(maps.Keys(s.texts)) {
		s.cells = append(s.cells, cell{text: text})
	}
	for _, text := range slices.Sorted(maps.Keys(s.lower)) {
		if cased(text) && strings.ToLower(text) == text { // what has capitals is no text in lower case
			s.cells = append(s.cells, cell{text: text, other: true, inLower: true})
		}
	}
	s.cells = append(s.cells, cell{other: true})
}

// cased says whether the text may have letters that are large or small.
func cased(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r >= 'A' })
}

func (s *subject) cutNumbers() {
	s.numbers[0] = true
	for _, end := range []float64{s.least, s.most} {
		if !math.IsInf(end, 0) {
			s.numbers[end] = true
		}
	}
	add := func(n float64) {
		if n >= s.least && n <= s.most && (!s.whole || n == math.Trunc(n)) {
			s.cells = append(s.cells, cell{number: n})
		}
	}
	before := math.Inf(-1)
	points := slices.Sorted(maps.Keys(s.numbers))
	for _, p := range append(points, math.Inf(1)) {
		if n := s.after(before, p); n < p {
			add(n)
		}
		if !math.IsInf(p, 0) {
			add(p)
		}
		before = p
	}
}

// after is a number above a, and below b when there is one there.
func (s *subject) after(a, b float64) float64 {
	switch {
	case s.whole:
		return max(0, math.Floor(a)+1)
	case math.IsInf(a, -1):
		return math.Nextafter(b, a)
	}
	return math.Nextafter(a, math.Inf(1))
}

// set is a set of cells, by their places. It is not changed once it is in use.
type set []uint64

func newSet(size int) set { return make(set, (size+63)/64) }

func (s set) add(i int) { s[i/64] |= 1 << (i % 64) }

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// meets says whether the two have a cell in common.
func (s set) meets(o set) bool {
	for i, w := range s {
		if w&o[i] != 0 {
			return true
		}
	}
	return false
}

// within says whether each cell of s is one of o.
func (s set) within(o set) bool {
	for i, w := range s {
		if w&^o[i] != 0 {
			return false
		}
	}
	return true
}

func (s set) and(o set) set {
	out := make(set, len(s))
	for i, w := range s {
		out[i] = w & o[i]
	}
	return out
}

func (s set) or(o set) set {
	out := make(set, len(s))
	for i, w := range s {
		out[i] = w | o[i]
	}
	return out
}

func (s set) without(o set) set {
	out := make(set, len(s))
	for i, w := range s {
		out[i] = w &^ o[i]
	}
	return out
}
