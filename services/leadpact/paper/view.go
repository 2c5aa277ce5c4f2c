package paper

import (
	"encoding/base64"
	"html/template"
	"strings"

	"github.com/leadpact/leadpact/internal/agreement"
)

// view is the agreement in the order and the words of the page.
type view struct {
	Look           template.CSS
	Size           Size
	Title, Version string
	Hash, Short    string
	Follows        string // the hash of the version before; empty for none
	UnderWay       string // what clocks that run do when it comes into force: "stay under their version"
	Summary        []string
	Parties        []party
	Funnel         *funnel
	Glances        []glance
	// Marked says that something bears the mark of what is not enforced yet.
	Marked   bool
	Chapters []chapter
	Annex    []part
}

// party is who signs for a side.
type party struct {
	Side            agreement.Side
	Name, Role, Key string
	// Signature in base64, and the key that it was made with; empty until the side has signed.
	Signature, With string
}

// glance is what one side owes the other, at one glance.
type glance struct {
	Side, Other agreement.Side
	Heads       []head
	Entries     []entry
}

// shortHash is how much of the hash tells two versions apart at a glance.
const shortHash = 12

func newView(a *agreement.Agreement, sheet Sheet) view {
	s := newSetter(a, sheet.Roster)
	v := view{
		Look: template.CSS(look), //nolint:gosec // our own file
		Size: sheet.Size, Title: a.Title, Version: a.Version, Hash: a.Hash, Short: a.Hash[:min(shortHash, len(a.Hash))], Follows: a.Follows,
		Summary: paragraphs(a.Summary), Parties: parties(a, sheet.Seal), Funnel: newFunnel(a), Chapters: s.chapters(), Annex: s.parts(annex()),
	}
	for _, side := range agreement.Sides() {
		if g := s.glance(side); len(g.Entries) > 0 {
			v.Glances = append(v.Glances, g)
		}
	}
	for _, c := range s.section(aboutFront).Clauses {
		if c.Key == "under_way" {
			v.UnderWay = c.Facts[0].Words
		}
	}
	v.Marked = v.marked()
	return v
}

// parties are who signs. Where the agreement gives no role, what follows the first comma of a name is taken for it.
func parties(a *agreement.Agreement, seal *agreement.Seal) []party {
	var out []party
	for _, side := range agreement.Sides() {
		who := a.Parties.Of(side)
		p := party{Side: side, Name: who.Name, Role: who.Role, Key: who.Key}
		if p.Role == "" {
			p.Name, p.Role, _ = strings.Cut(who.Name, ", ")
		}
		if seal != nil {
			if g, ok := seal.Of(side); ok {
				p.Signature, p.With = base64.StdEncoding.EncodeToString(g.Value), g.Key
			}
		}
		out = append(out, p)
	}
	return out
}

func paragraphs(text string) []string {
	var out []string
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// glance gathers what a side owes: for each lead first, then over time.
func (s *setter) glance(side agreement.Side) glance {
	g := glance{Side: side, Other: agreement.Sales, Heads: []head{{Text: "Promise", Wide: 20}, {Text: "In words"}, {Text: "Target", Wide: 23}, {Text: "Hours", Wide: 9}, {Text: "If missed", Wide: 13}}}
	if side == agreement.Sales {
		g.Other = agreement.Marketing
		for _, c := range s.section("What sales promises").Clauses {
			x := newSpeech(c)
			g.Entries = append(g.Entries, s.glanceEntry(c, false, x.take(bare, "kept by", "how often"), labelled("within", x.take(bare, "within")),
				x.take(bare, "hours"), x.take(bare, "on a breach", "remedies")))
		}
	}
	records := s.section("What is written down")
	for i, c := range records.Clauses {
		if s.a.Records[i].Party == side {
			x := newSpeech(c)
			g.Entries = append(g.Entries, s.glanceEntry(c, records.Pending, append(labelled("writes down", x.take(bare, "fields")), x.take(full, "before")...),
				labelled("within", x.take(bare, "within")), x.take(bare, "hours"), x.take(bare, "remedies")))
		}
	}
	over := s.section("What " + string(side) + " owes over time")
	for _, c := range over.Clauses {
		x := newSpeech(c)
		g.Entries = append(g.Entries, s.glanceEntry(c, over.Pending, x.take(bare, "measure"), each(x.take(bare, "target"), x.take(bare, "each")),
			x.take(bare, "days of"), x.take(bare, "remedies", "only tracked")))
	}
	g.Entries = fit(g.Heads, g.Entries)
	return g
}

func (s *setter) glanceEntry(c agreement.Clause, pending bool, counted, target, when, missed []phrase) entry {
	return entry{Name: c.Subject, Pending: pending || c.Pending, Cells: []cell{{Phrases: counted}, {Phrases: target}, {Phrases: when}, {Phrases: missed, Link: s.ladder(c)}}}
}

// ladder is where on the page the remedies of a promise stand; empty when it names none.
func (s *setter) ladder(c agreement.Clause) string {
	for _, f := range c.Facts {
		if f.What == "remedies" {
			return s.ladders[strings.TrimSuffix(f.Words, waiting)]
		}
	}
	return ""
}

// each says how often a target is to be reached: "at least 100 each month".
func each(target, period []phrase) []phrase {
	if len(target) == 1 && len(period) == 1 {
		target[0].Text += " each " + period[0].Text
	}
	return target
}

func labelled(label string, of []phrase) []phrase {
	if len(of) > 0 {
		of[0].Label = label
	}
	return of
}

// marked looks for anything that bears the mark.
func (v view) marked() bool {
	in := func(of []phrase) bool {
		for _, p := range of {
			if p.Pending {
				return true
			}
		}
		return false
	}
	for _, c := range append(v.Chapters, chapter{Parts: v.Annex}) {
		if c.Pending {
			return true
		}
		for _, p := range c.Parts {
			if p.Pending {
				return true
			}
			for _, e := range p.Entries {
				if e.Pending || in(e.Says) {
					return true
				}
				for _, x := range e.Cells {
					if in(x.Phrases) {
						return true
					}
				}
			}
		}
	}
	return false
}
