package stage_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// parse reads the agreement of the tests, changed by replacements.
func parse(t *testing.T, replacements ...string) *agreement.Agreement {
	t.Helper()
	text, err := os.ReadFile("../testdata/agreement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, faults := agreement.Parse("agreement.yaml", []byte(strings.NewReplacer(replacements...).Replace(string(text))))
	if a == nil {
		t.Fatalf("the agreement of the tests has faults: %v", faults)
	}
	return a
}

// day is noon of the nth day; facts are told by days.
func day(n int) time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

// tell makes a fact from words: "3 form", "5 won", "5 rejected:not-now @2" (an activity of cycle 2), "3 yes:contact" and "4 no:contact" (a
// grant and a withdrawal), "h 3 form" (history). Its id is the words, so a fact that is told twice is one fact.
func tell(words string) lead.Fact {
	f := lead.Fact{Source: "web", ID: words, Kind: lead.Touch, Channel: "paid"}
	rest, history := strings.CutPrefix(words, "h ")
	f.History = history
	rest, cycle, activity := strings.Cut(rest, " @")
	n := 0
	if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
		panic(fmt.Sprintf("%q is no fact: %v", words, err))
	}
	_, f.Name, _ = strings.Cut(rest, " ")
	f.OccurredAt, f.RecordedAt = day(n), day(n)
	if history {
		f.RecordedAt = day(1000)
	}
	f.Name, f.Reason, _ = strings.Cut(f.Name, ":")
	if lead.IsDeed(f.Name) {
		f.Kind, f.Source, f.Rep = lead.Outcome, "crm", "rep-of-"+f.Name
	}
	if f.Name == "yes" || f.Name == "no" {
		f.Consents = []lead.Consent{{Purpose: f.Reason, Granted: f.Name == "yes"}}
	}
	if activity {
		f.Kind, f.Source = lead.Activity, "handoff"
		if _, err := fmt.Sscanf(cycle, "%d", &f.Cycle); err != nil {
			panic(fmt.Sprintf("%q is no fact: %v", words, err))
		}
	}
	if f.Name == "large" { // a touch that says how large the company is
		f.Name, f.Fields = "visit", map[string]any{"size": 250.0}
	}
	return f
}

// teller goes through facts as the service does.
type teller struct {
	a     *agreement.Agreement
	terms lead.Terms
	state stage.State
	known lead.Knowledge
	facts []lead.Fact
	all   []stage.Change
}

func newTeller(a *agreement.Agreement) *teller { return &teller{a: a, terms: score.NewTerms(a)} }

func (t *teller) tell(f lead.Fact) []stage.Change {
	t.facts = append(t.facts, f)
	after, known, changes := stage.Advance(t.a, t.terms, t.state, t.known, f)
	if stage.OutOfOrder(t.state, t.known, f) {
		if s, told, ok := stage.Late(t.a, t.terms, t.state, t.facts); ok {
			after, changes = s, told
		}
	}
	t.state, t.known = after, known
	t.all = append(t.all, changes...)
	return changes
}

// path writes changes as "1.1 new, 1.2 mql!": cycle, number, stage, and "!" for a handoff, "?" for one that is withheld, "x" for one that is
// withdrawn.
func path(changes []stage.Change) string {
	var out []string
	for _, c := range changes {
		mark := ""
		switch {
		case c.Handoff:
			mark = "!"
		case c.Withdrawn:
			mark = "x"
		case c.Withheld != "":
			mark = "?"
		}
		out = append(out, fmt.Sprintf("%d.%d %s%s", c.Cycle, c.N, c.To, mark))
	}
	return strings.Join(out, ", ")
}

// compare is the order of two facts of one instant.
func compare(x, y lead.Fact) int {
	return strings.Compare(x.Source+"\x00"+x.ID, y.Source+"\x00"+y.ID)
}
