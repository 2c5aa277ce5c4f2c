package stage_test

import (
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

func TestStories(t *testing.T) {
	t.Parallel()
	a := parse(t)
	for _, c := range []struct {
		name, facts, want string
	}{
		{"a touch makes a lead", "0 visit", "1.1 new"},
		{"points make it an MQL", "0 form; 1 form", "1.1 new, 1.2 mql!"},
		{"in one step when one touch is enough", "0 form; 0 large; 1 won", "1.1 new, 1.2 mql!, 1.3 won"},
		{"an outcome alone makes no lead", "0 won; 1 lost", ""},
		{"and follows in one step with the touch", "0 accepted; 1 won; 2 visit", "1.1 new, 1.2 won"},
		{"nobody is woken for a lead that is over at once", "3 won; 4 large; 5 form", "1.1 new, 1.2 won"},
		{"no guard is passed over", "0 visit; 1 accepted", "1.1 new"},
		{"the next guard is met later", "0 visit; 1 accepted; 2 form; 3 form", "1.1 new, 1.2 mql!, 1.3 sal"},
		{"points that decay in time come too late", "0 form; 40 form", "1.1 new"},
		{"a stage stays when points are gone", "0 form; 1 form; 90 visit", "1.1 new, 1.2 mql!"},
		{"a rejection that recycles", "0 form; 1 form; 2 rejected:not-now @1", "1.1 new, 1.2 mql!, 1.3 nurture"},
		{"one that does not", "0 form; 1 form; 2 rejected:wrong-rep @1", "1.1 new, 1.2 mql!"},
		{"a newer touch begins the next cycle, with a handoff of its own", "0 form; 1 form; 2 rejected:not-now @1; 3 form",
			"1.1 new, 1.2 mql!, 1.3 nurture, 2.1 new, 2.2 mql!"},
		{"an older touch that comes late does not", "0 form; 1 form; 5 rejected:not-now @1; 3 form", "1.1 new, 1.2 mql!, 1.3 nurture"},
		{"nor does an outcome", "0 form; 1 form; 5 rejected:not-now @1; 6 attempt", "1.1 new, 1.2 mql!, 1.3 nurture"},
		{"a rejection of a cycle that is over changes nothing", "0 form; 1 form; 2 rejected:not-now @1; 3 form; 4 rejected:not-now @1",
			"1.1 new, 1.2 mql!, 1.3 nurture, 2.1 new, 2.2 mql!"},
		{"a loss ends, a newer touch begins anew", "0 visit; 1 lost; 2 visit", "1.1 new, 1.2 lost, 2.1 new"},
		{"a loss counts once", "0 visit; 1 lost; 2 visit; 3 visit", "1.1 new, 1.2 lost, 2.1 new"},
		{"attempts of an earlier cycle do not count",
			"0 visit; 1 attempt @1; 2 attempt @1; 3 attempt @1; 4 attempt @1; 5 lost; 6 visit; 7 attempt @2", "1.1 new, 1.2 lost, 2.1 new"},
		{"five attempts end it", "0 visit; 1 attempt; 2 attempt; 3 attempt; 4 attempt @1; 5 attempt @1", "1.1 new, 1.2 lost"},
		{"a customer stays one", "0 visit; 1 won; 2 form; 3 form; 4 lost", "1.1 new, 1.2 won"},
		{"a deal that was lost and won is won", "0 visit; 1 lost; 2 won; 3 visit", "1.1 new, 1.2 lost, 1.3 won"},
		{"the earlier of two ends is the end", "5 visit; 7 lost; 6 won", "1.1 new, 1.2 lost, 1.3 won"},
		{"history wakes nobody", "h 0 form; h 1 form", "1.1 new, 1.2 mql"},
		{"the next live touch does", "h 0 form; h 1 form; 2 visit; 3 visit", "1.1 new, 1.2 mql, 1.3 mql!"},
		{"a live outcome does not", "h 0 form; h 1 form; 2 attempt", "1.1 new, 1.2 mql"},
		{"history of years ago does not end what a rep works on", "400 form; 401 form; h 1 visit; h 2 lost; 402 visit",
			"1.1 new, 1.2 mql!"},
		{"what history made of it then, though it is worth little by now", "h 0 form; h 40 form; h 1 form", "1.1 new, 1.2 mql"},
		{"history in disorder ends as in order", "h 0 visit; h 5 visit; h 3 lost; h 1 visit; h 6 lost",
			"1.1 new, 1.2 lost, 2.1 new, 2.2 lost"},
	} {
		teller := newTeller(a)
		for words := range strings.SplitSeq(c.facts, "; ") {
			teller.tell(tell(words))
		}
		if got := path(teller.all); got != c.want {
			t.Errorf("%s: %s\n\tgave %s\n\twant %s", c.name, c.facts, got, c.want)
		}
	}
}

func TestChangesSayWhenAndWho(t *testing.T) {
	t.Parallel()
	teller := newTeller(parse(t))
	for _, words := range []string{"9 won", "3 form", "4 large"} {
		teller.tell(tell(words))
	}
	// The win waited for the touch; it still happened on its own day, through its own rep.
	if got := path(teller.all); got != "1.1 new, 1.2 won" {
		t.Fatalf("changes: %s", got)
	}
	if c := teller.all[0]; !c.At.Equal(day(3)) || c.Rep != "" || c.From != "" {
		t.Errorf("birth: %+v", c)
	}
	if c := teller.all[1]; !c.At.Equal(day(9)) || c.Rep != "rep-of-won" || c.From != "new" {
		t.Errorf("win: %+v", c)
	}
}

// Old interest that comes late counts as old: a live fact is decided on as of when it was recorded.
func TestLateLiveInterestHasDecayed(t *testing.T) {
	t.Parallel()
	teller := newTeller(parse(t))
	for _, words := range []string{"0 form", "1 form"} {
		f := tell(words)
		f.RecordedAt = day(60)
		teller.tell(f)
	}
	if got := path(teller.all); got != "1.1 new" {
		t.Errorf("two forms of two months ago gave %s", got)
	}
}

// A stage that the agreement no longer has stands before the first: the lead climbs from there, in the same cycle.
func TestStageThatIsGone(t *testing.T) {
	t.Parallel()
	a := parse(t)
	s := stage.State{Stage: "prospect", Cycle: 2, N: 3, At: day(1), Since: day(0)}
	var k lead.Knowledge
	teller := newTeller(a)
	for _, words := range []string{"2 form", "3 form"} {
		k = lead.Fold(teller.terms, k, tell(words))
	}
	s, changes := stage.Step(a, s, k, day(3), day(3))
	if got := path(changes); got != "2.4 new, 2.5 mql" || changes[0].From != "prospect" || s.Stage != "mql" {
		t.Errorf("changes %s, state %+v", got, s)
	}
}
