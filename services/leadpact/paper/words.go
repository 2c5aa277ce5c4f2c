package paper

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/agreement"
)

// waiting ends the words of a fact that no service acts on; the paper writes a mark instead.
const waiting = " (not enforced yet)"

// phrase is a fact as it is set: what it says, and what of.
type phrase struct {
	Label, Text string
	Code        bool // a condition
	Pending     bool
	Line        bool // begins one
	Whole       bool // no line's end cuts it
}

// cell is a place in a table.
type cell struct {
	Phrases []phrase
	Right   bool   // figures
	Link    string // where on the page more of it stands
}

// entry is a clause as it is set: a row of a table, or a line.
type entry struct {
	ID, Name string
	Pending  bool
	Whole    bool // no line's end cuts the name
	Says     []phrase
	Cells    []cell // of a table
}

// longest is how many characters a phrase has at most that no line's end cuts, where it has the room of a line.
const longest = 24

// fit keeps together what has the room to be: a name, or "30 minutes", that a line's end cuts reads badly, and one that runs into the next
// column worse.
func fit(heads []head, entries []entry) []entry {
	room := func(column int) int {
		if column >= len(heads) || heads[column].Wide == 0 {
			return longest
		}
		return heads[column].Wide * 11 / 10 // so many characters have that share of a line
	}
	keep := func(of []phrase, room int) {
		for i, p := range of {
			of[i].Whole = utf8.RuneCountInString(p.Label)+utf8.RuneCountInString(p.Text) <= room
		}
	}
	for i := range entries {
		e := &entries[i]
		e.Whole = utf8.RuneCountInString(e.Name) <= room(0)
		keep(e.Says, room(0))
		for k, c := range e.Cells {
			keep(c.Phrases, room(k+1))
		}
	}
	return entries
}

// plain is a phrase of words alone.
func plain(text string) []phrase {
	if text == "" {
		return nil
	}
	return []phrase{{Text: text}}
}

// speech finds the phrases of one clause; a fact that was taken is not told again.
type speech struct {
	facts []agreement.Fact
	code  []string // facts that are conditions
}

func newSpeech(c agreement.Clause, code ...string) *speech {
	return &speech{facts: slices.Clone(c.Facts), code: code}
}

// take removes and returns the named facts in the order of the names.
func (s *speech) take(say labels, names ...string) []phrase {
	var out []phrase
	for i, name := range names {
		at := slices.IndexFunc(s.facts, func(f agreement.Fact) bool { return f.What == name })
		if at < 0 {
			continue
		}
		f := s.facts[at]
		s.facts = slices.Delete(s.facts, at, at+1)
		if idle(f) {
			continue
		}
		p := s.phrase(f)
		if say == bare || say == headed && i == 0 {
			p.Label = ""
		}
		out = append(out, p)
	}
	return out
}

// rest are the facts that nobody took.
func (s *speech) rest() []phrase {
	var out []phrase
	for _, f := range s.facts {
		if !idle(f) {
			out = append(out, s.phrase(f))
		}
	}
	s.facts = nil
	return out
}

// idle says that a fact tells nothing: a verdict over one case is given over any number.
func idle(f agreement.Fact) bool { return f.Words == "" || f.What == "from" && f.Words == "1 case on" }

func (s *speech) phrase(f agreement.Fact) phrase {
	text, pending := strings.CutSuffix(f.Words, waiting)
	text = strings.ReplaceAll(text, " %", "\u00a0%")
	switch {
	case text == "yes":
		return phrase{Text: f.What, Pending: pending}
	case f.What == "how often":
		return phrase{Text: text, Pending: pending}
	}
	return phrase{Label: f.What, Text: text, Pending: pending, Code: text != everyOther && slices.Contains(s.code, f.What)}
}

// everyOther is said of a condition that none is.
const everyOther = "all others"
