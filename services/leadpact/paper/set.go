package paper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/internal/agreement"
)

// setter sets the sections of one contract.
type setter struct {
	a        *agreement.Agreement
	roster   *agreement.Roster
	contract []agreement.Section
	// gradesOf a clock or record, by name.
	gradesOf map[string][]string
	// ladders are where on the page they stand, by name.
	ladders map[string]string
}

func newSetter(a *agreement.Agreement, r *agreement.Roster) *setter {
	s := &setter{a: a, roster: r, contract: a.Contract(), gradesOf: map[string][]string{}, ladders: map[string]string{}}
	for _, c := range a.Clocks {
		s.gradesOf[c.Name] = c.Grades
	}
	for _, r := range a.Records {
		s.gradesOf[r.Name] = r.Grades
	}
	for i, l := range a.Ladders {
		s.ladders[l.Name] = fmt.Sprintf("remedies-%d", i+1)
	}
	return s
}

func (s *setter) section(title string) agreement.Section {
	at := slices.IndexFunc(s.contract, func(c agreement.Section) bool { return c.Title == title })
	if at < 0 {
		return agreement.Section{}
	}
	return s.contract[at]
}

// chapters sets what is on paper. A section that no plan names comes before the last one, so that none is lost.
func (s *setter) chapters() []chapter {
	all := plans()
	named := map[string]bool{aboutFront: true}
	for _, x := range annex() {
		named[x.title] = true
	}
	for _, p := range all {
		for _, x := range p.settings {
			named[x.title] = true
		}
	}
	for _, c := range s.contract {
		if !named[c.Title] {
			all = slices.Insert(all, len(all)-1, plan{settings: []setting{{title: c.Title}}})
		}
	}
	var out []chapter
	for _, p := range all {
		c := chapter{Title: p.title, No: len(out) + 1, ID: fmt.Sprintf("s%d", len(out)+1), Parts: s.parts(p.settings)}
		if len(c.Parts) == 0 {
			continue
		}
		if c.Title == "" {
			c.Title, c.Pending = c.Parts[0].Title, c.Parts[0].Pending
			c.Parts[0].Title, c.Parts[0].Pending = "", false
		}
		if c.Parts[0].Title == c.Title {
			c.Parts[0].Title = ""
		}
		out = append(out, c)
	}
	return out
}

func (s *setter) parts(settings []setting) []part {
	var out []part
	for _, x := range settings {
		if section := s.section(x.title); len(section.Clauses) > 0 {
			out = append(out, s.part(x, section))
		}
		if x.title == aboutHours && s.roster != nil {
			out = append(out, s.people()...)
		}
	}
	return out
}

func (s *setter) part(x setting, section agreement.Section) part {
	p := part{Title: cmp.Or(x.heading, section.Title), Pending: section.Pending, Flow: x.flow}
	switch x.title {
	case aboutHours:
		p.Heads, p.Entries = calendars(s.a.Calendars)
	case aboutGoals:
		p.Goals = s.goals(section)
	case aboutBreach:
		p.Entries = s.steps(section)
	default:
		p.Heads = s.heads(x)
		for _, c := range section.Clauses {
			p.Entries = append(p.Entries, s.entry(x, c))
		}
	}
	p.Entries = fit(p.Heads, p.Entries)
	return p
}

func (s *setter) heads(x setting) []head {
	if len(x.columns) == 0 {
		return nil
	}
	out := []head{{Text: x.first, Wide: x.wide}}
	for _, c := range x.columns {
		if c.head != perGrade {
			out = append(out, head{c.head, c.wide, c.right})
			continue
		}
		for _, g := range s.grades() {
			out = append(out, head{g, c.wide, c.right})
		}
	}
	return out
}

// mostGrades is how many have a column each.
const mostGrades = 4

// grades are the heads of the columns for times: one for each grade while they are few.
func (s *setter) grades() []string {
	if len(s.a.Grades) == 0 || len(s.a.Grades) > mostGrades {
		return []string{"Within"}
	}
	var out []string
	for _, g := range s.a.Grades {
		out = append(out, "Grade "+g.Name)
	}
	return out
}

func (s *setter) entry(x setting, c agreement.Clause) entry {
	e := entry{Name: c.Subject, Pending: c.Pending}
	speech := newSpeech(c, x.code...)
	silent := x.silent
	for _, col := range x.columns {
		if col.head != perGrade {
			e.Cells = append(e.Cells, cell{Phrases: speech.take(col.say, col.facts...), Right: col.right})
			continue
		}
		within := speech.take(bare, col.facts...)
		if heads := s.grades(); len(heads) == len(s.a.Grades) {
			e.Name = c.Key // the columns say for whom
			for _, g := range s.a.Grades {
				x := cell{Right: col.right}
				if s.holds(c.Key, g.Name) {
					x.Phrases = slices.Clone(within)
				}
				e.Cells = append(e.Cells, x)
			}
			continue
		}
		if len(s.a.Grades) > 0 {
			silent = nil
		}
		e.Cells = append(e.Cells, cell{Phrases: within, Right: col.right})
	}
	speech.take(bare, silent...)
	e.Says = speech.rest()
	return e
}

// holds says whether a promise holds for a grade.
func (s *setter) holds(name, grade string) bool {
	of := s.gradesOf[name]
	return len(of) == 0 || slices.Contains(of, grade)
}

// steps sets ladders of remedies.
func (s *setter) steps(section agreement.Section) []entry {
	var out []entry
	for _, c := range section.Clauses {
		e := entry{Name: c.Subject, ID: s.ladders[c.Key]}
		for _, f := range c.Facts {
			for step := range strings.SplitSeq(f.Words, "; ") {
				e.Says = append(e.Says, phrase{Text: strings.ReplaceAll(step, " %", "\u00a0%")})
			}
		}
		out = append(out, e)
	}
	return out
}
