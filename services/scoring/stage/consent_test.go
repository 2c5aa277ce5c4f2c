package stage_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// needing is the agreement of the tests with consent that it needs.
func needing(t *testing.T) *agreement.Agreement {
	t.Helper()
	return parse(t, "channels:", "consent: {purposes: [marketing, profiling], needed: [marketing]}\nchannels:")
}

func TestStoriesOfConsent(t *testing.T) {
	t.Parallel()
	plain, strict := parse(t), needing(t)
	for _, c := range []struct {
		name        string
		a           *agreement.Agreement
		facts, want string
	}{
		{"do not contact, and then a high score", plain, "0 no:contact; 1 form; 2 form", "1.1 new, 1.2 mql?"},
		{"nor is anybody woken later", plain, "0 no:contact; 1 form; 2 form; 3 form; 4 accepted", "1.1 new, 1.2 mql?"},
		{"until he allows it", plain, "0 no:contact; 1 form; 2 form; 3 yes:contact", "1.1 new, 1.2 mql?, 1.3 mql!"},
		{"once", plain, "0 no:contact; 1 form; 2 form; 3 yes:contact; 4 yes:contact; 5 form", "1.1 new, 1.2 mql?, 1.3 mql!"},
		{"what sales did meanwhile counts then", plain, "0 no:contact; 1 accepted; 2 form; 3 form; 4 yes:contact", "1.1 new, 1.2 mql?, 1.3 mql!, 1.4 sal"},
		{"a win meanwhile ends it", plain, "0 no:contact; 1 form; 2 form; 3 won; 4 yes:contact", "1.1 new, 1.2 mql?, 1.3 won"},
		{"a loss meanwhile ends it, and the grant begins anew", plain, "0 no:contact; 1 form; 2 form; 3 lost; 4 yes:contact; 4 form",
			"1.1 new, 1.2 mql?, 1.3 lost, 2.1 new, 2.2 mql!"},
		{"a withdrawal takes the handoff back", plain, "0 form; 1 form; 2 no:contact", "1.1 new, 1.2 mql!, 1.3 mqlx"},
		{"once, however often it comes", plain, "0 form; 1 form; 2 no:contact; 3 no:contact; 4 form", "1.1 new, 1.2 mql!, 1.3 mqlx"},
		{"one of before a grant does not", plain, "0 form; 1 form; 5 yes:contact; 3 no:contact", "1.1 new, 1.2 mql!"},
		{"a grant of before it does not undo it", plain, "0 form; 1 form; 3 no:contact; 2 yes:contact", "1.1 new, 1.2 mql!, 1.3 mqlx"},
		{"allowed again: the next cycle, with a handoff of its own", plain, "0 form; 1 form; 2 no:contact; 3 yes:contact",
			"1.1 new, 1.2 mql!, 1.3 mqlx, 2.1 new, 2.2 mql!"},
		{"allowed again when interest has gone", plain, "0 form; 1 form; 2 no:contact; 60 yes:contact", "1.1 new, 1.2 mql!, 1.3 mqlx, 2.1 new"},
		{"what sales did before it does not count in that", plain, "0 form; 1 form; 2 accepted; 3 no:contact; 4 yes:contact",
			"1.1 new, 1.2 mql!, 1.3 sal, 1.4 salx, 2.1 new, 2.2 mql!"},
		{"what sales did all the same is true", plain, "0 form; 1 form; 2 no:contact; 3 won", "1.1 new, 1.2 mql!, 1.3 mqlx, 1.4 won"},
		{"a customer has no handoff under way", plain, "0 form; 1 form; 2 won; 3 no:contact", "1.1 new, 1.2 mql!, 1.3 won"},
		{"a withdrawal that history tells of is one", plain, "0 form; 1 form; h 2 no:contact", "1.1 new, 1.2 mql!, 1.3 mqlx"},
		{"a grant that history tells of wakes nobody", plain, "0 no:contact; 1 form; 2 form; h 3 yes:contact", "1.1 new, 1.2 mql?"},
		{"the next live event does, whatever it is", plain, "0 no:contact; 1 form; 2 form; h 3 yes:contact; 4 attempt", "1.1 new, 1.2 mql?, 1.3 mql!"},
		{"history at the handoff point, and then a live touch", plain, "h 0 form; h 1 form; 2 no:contact; 3 visit; 4 yes:contact",
			"1.1 new, 1.2 mql, 1.3 mql?, 1.4 mql!"},
		{"history wants no consent", strict, "h 0 form; h 1 form; h 2 accepted", "1.1 new, 1.2 mql, 1.3 sal"},
		{"needed and not said", strict, "0 form; 1 form", "1.1 new, 1.2 mql?"},
		{"another purpose is not that one", strict, "0 yes:profiling; 1 form; 2 form", "1.1 new, 1.2 mql?"},
		{"needed and granted", strict, "0 yes:marketing; 1 form; 2 form", "1.1 new, 1.2 mql!"},
		{"needed and granted later", strict, "0 form; 1 form; 2 yes:marketing", "1.1 new, 1.2 mql?, 1.3 mql!"},
		{"needed and withdrawn", strict, "0 yes:marketing; 1 form; 2 form; 3 no:marketing", "1.1 new, 1.2 mql!, 1.3 mqlx"},
		{"not needed and withdrawn", strict, "0 yes:marketing; 1 form; 2 form; 3 no:profiling", "1.1 new, 1.2 mql!"},
		{"granted, and contact forbidden", strict, "0 yes:marketing; 0 no:contact; 1 form; 2 form", "1.1 new, 1.2 mql?"},
		{"not declared", plain, "0 no:marketing; 1 form; 2 form; 3 no:marketing", "1.1 new, 1.2 mql!"},
	} {
		teller := newTeller(c.a)
		for words := range strings.SplitSeq(c.facts, "; ") {
			teller.tell(tell(words))
		}
		if got := path(teller.all); got != c.want {
			t.Errorf("%s: %s\n\tgave %s\n\twant %s", c.name, c.facts, got, c.want)
		}
	}
}

func TestChangesSayWhyNobodyIsWoken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		facts, want string
	}{
		{"0 form; 1 form", stage.NoConsent},
		{"0 form; 0 no:contact; 1 form", stage.DoNotContact},
		{"0 yes:marketing; 0 form; 1 form; 2 no:marketing", stage.NoConsent},
		{"0 yes:marketing; 0 form; 1 form; 2 no:contact", stage.DoNotContact},
	} {
		teller := newTeller(needing(t))
		for words := range strings.SplitSeq(c.facts, "; ") {
			teller.tell(tell(words))
		}
		last := teller.all[len(teller.all)-1]
		if last.Withheld != c.want || last.Handoff || last.Withdrawn != (last.From == last.To) || last.Card.Lead.Score == 0 {
			t.Errorf("%s: the last change is %+v, want %s", c.facts, last, c.want)
		}
		if got := stage.Withheld(teller.a, teller.known); got != c.want {
			t.Errorf("%s: withheld for %q, want %q", c.facts, got, c.want)
		}
	}
}

// An agreement that comes to need a consent does not reach back to what was handed off without it; a withdrawal does.
func TestANewNeedLeavesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	teller := newTeller(parse(t))
	for _, words := range []string{"0 form", "1 form"} {
		teller.tell(tell(words))
	}
	strict := newTeller(needing(t))
	strict.state, strict.known, strict.all = teller.state, teller.known, teller.all
	strict.tell(tell("2 visit"))
	if got, want := path(strict.all), "1.1 new, 1.2 mql!"; got != want {
		t.Errorf("after a visit %s, want %s", got, want)
	}
	strict.tell(tell("3 no:marketing"))
	if got, want := path(strict.all), "1.1 new, 1.2 mql!, 1.3 mqlx"; got != want {
		t.Errorf("after a withdrawal %s, want %s", got, want)
	}
}

// In whatever order a person's words come in between what he does: while contact is forbidden nobody is woken and nothing is under way, and
// once it is not, nothing is held back for it any more.
func TestWithdrawalsAndHandoffsMeetInAnyOrder(t *testing.T) {
	t.Parallel()
	a := parse(t)
	rapid.Check(t, func(t *rapid.T) {
		teller := newTeller(a)
		for _, f := range facts(false).Draw(t, "facts") {
			for _, c := range teller.tell(f) {
				if c.Handoff && (c.Withheld != "" || teller.known.Withdrawn(lead.Contact)) {
					t.Fatalf("%+v wakes somebody who may not be contacted", c)
				}
			}
			if s := teller.state; teller.known.Withdrawn(lead.Contact) && s.Handed && !s.Withdrawn && !ended(a, s.Stage) {
				t.Fatalf("%+v goes on although contact is forbidden, after %s", s, path(teller.all))
			}
		}
		if teller.known.Withdrawn(lead.Contact) || teller.state.Stage == "" {
			return
		}
		teller.tell(tell("91 attempt"))
		if s := teller.state; (s.Withheld || s.Withdrawn) && !ended(a, s.Stage) {
			t.Fatalf("%+v is held back although contact is allowed, after %s", s, path(teller.all))
		}
	})
}

func ended(a *agreement.Agreement, name string) bool {
	for _, s := range a.Stages {
		if s.Name == name {
			return s.Final || s.Recycled
		}
	}
	return false
}
