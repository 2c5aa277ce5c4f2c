package agreement

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one difference between two versions, in the words of the contract.
type Change struct {
	// Section of the contract: "What sales promises".
	Section string
	// Subject is what changed: "first-call for grade B".
	Subject string
	// What of it: "within". Empty when the whole of it is new or gone.
	What string
	// Before and After in words; empty for what was not there.
	Before, After string
	// Teams whose work changes with it, sorted; none when that cannot be said.
	Teams []string
	// Pending says that no service acts on the clause yet.
	Pending bool
}

// String is the change on one line: "first-call for grade B, within: 24 hours → 4 hours; affects boston, dublin".
func (c Change) String() string {
	s := c.Subject
	if c.What != "" {
		s += ", " + c.What
	}
	switch {
	case c.Before == "":
		s += ": new: " + c.After
	case c.After == "":
		s += ": gone: " + c.Before
	default:
		s += ": " + c.Before + " → " + c.After
	}
	switch n := len(c.Teams); {
	case n > 3:
		s += fmt.Sprintf("; affects %d teams", n)
	case n > 0:
		s += "; affects " + strings.Join(c.Teams, ", ")
	}
	if c.Pending {
		s += "; " + notEnforced
	}
	return s
}

// Diff tells what differs between two versions, in the order of the contract. Comments and the way in which a text is written are no
// difference; what has another place in an order that counts is.
func Diff(before, after *Agreement) []Change {
	var out []Change
	old := before.Contract()
	sections := after.Contract()
	for i := range sections {
		out = append(out, sections[i].since(&old[i])...)
	}
	return out
}

func (s *Section) find(key string) (Clause, bool) {
	i := slices.IndexFunc(s.Clauses, func(t Clause) bool { return t.Key == key })
	if i < 0 {
		return Clause{}, false
	}
	return s.Clauses[i], true
}

// since is what changed of a section.
func (s *Section) since(old *Section) []Change {
	var out []Change
	var was, is []string // what both have, each in its order
	for _, t := range old.Clauses {
		if _, stays := s.find(t.Key); stays {
			was = append(was, t.Subject)
			continue
		}
		out = append(out, Change{Section: s.Title, Subject: t.Subject, Before: t.Words(), Teams: sortedTeams(t.Teams), Pending: s.Pending || t.Pending})
	}
	for _, t := range s.Clauses {
		before, known := old.find(t.Key)
		if !known {
			out = append(out, Change{Section: s.Title, Subject: t.Subject, After: t.Words(), Teams: sortedTeams(t.Teams), Pending: s.Pending || t.Pending})
			continue
		}
		is = append(is, before.Subject)
		out = append(out, s.changed(before, t)...)
	}
	if s.Ordered && !slices.Equal(was, is) {
		out = append(out, Change{Section: s.Title, Subject: s.Title, What: "order", Before: strings.Join(was, ", "), After: strings.Join(is, ", ")})
	}
	return out
}

// changed is what differs in one thing. Both versions of a thing have the same facts in the same order, some of them empty.
func (s *Section) changed(before, after Clause) []Change {
	var out []Change
	for i, f := range after.Facts {
		was := before.Facts[i].Words
		if was == f.Words {
			continue
		}
		c := Change{Section: s.Title, Subject: after.Subject, What: f.What, Before: was, After: f.Words, Pending: s.Pending || after.Pending}
		if c.What == "" {
			c.What = "that is"
		}
		c.Before, c.After = against(was, f.Words), against(f.Words, was)
		c.Teams = sortedTeams(append(slices.Clone(before.Teams), after.Teams...))
		out = append(out, c)
	}
	return out
}

// against is a word beside the one that it replaces, or is replaced by.
func against(word, other string) string {
	switch {
	case word != "":
		return word
	case other == yes(true):
		return "no"
	}
	return "nothing"
}

func sortedTeams(teams []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(teams)))
}
