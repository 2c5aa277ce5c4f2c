package scoring_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// A crash between the commit and the acknowledgement delivers everything again: nothing changes.
func TestApplyingTwiceChangesNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		events := []*eventv1.Event{
			received("1", "ada@example.com", "form", 0, size(250)), received("2", "ada@example.com", "won", 1), received("1", "ada@example.com", "form", 0, size(250)),
		}
		r.apply(t, events...)
		before, first := r.digest(t), words(r.told(t))
		lead, err := r.store.FindLead(t.Context(), "email:ada@example.com")
		must(t, err)
		row, err := r.store.Lead(t.Context(), lead)
		must(t, err)
		r.apply(t, events...)
		again, err := r.store.Lead(t.Context(), lead)
		must(t, err)
		if told := r.told(t); r.digest(t) != before || len(told) != 0 || again.Version != row.Version || again.Facts != 2 {
			t.Errorf("the second time told %s after %s, and left %+v of %+v", words(told), first, again, row)
		}
		if r.counted(t, "leadpact_scoring_facts_total", "applied") != 2 || r.counted(t, "leadpact_scoring_facts_total", "duplicate") != 4 {
			t.Error("the counters do not say so")
		}
	})
}

// reading counts how often the facts of leads are read.
type reading struct {
	store.Scoring
	times atomic.Int64
}

type readingTx struct {
	store.ScoringTx
	times *atomic.Int64
}

func (r *reading) Update(ctx context.Context, do func(context.Context, store.ScoringTx) error) error {
	return r.Scoring.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error { return do(ctx, readingTx{tx, &r.times}) })
}

func (r readingTx) Facts(ctx context.Context, leads []string) (map[string][]store.FactRow, error) {
	r.times.Add(1)
	return r.ScoringTx.Facts(ctx, leads)
}

// A sender that repeats itself costs the same, however long the lead's history is.
func TestARepeatedFactReadsNoHistory(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		s := &reading{Scoring: open(t)}
		r := newRig(t, s)
		e := received("1", "ada@example.com", "form", 0)
		r.apply(t, e, received("2", "ada@example.com", "visit", 1))
		r.apply(t, e, received("2", "ada@example.com", "form", 1), received("3", "ada@example.com", "visit", 2))
		if n := s.times.Load(); n != 0 {
			t.Errorf("facts were read %d times", n)
		}
		if r.counted(t, "leadpact_scoring_facts_total", "duplicate") != 1 || r.counted(t, "leadpact_scoring_facts_total", "conflict") != 1 {
			t.Error("the counters do not say what happened")
		}
	})
}

func TestAKnownIDWithOtherContent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "form", 0))
		before := r.digest(t)
		r.apply(t, received("1", "ada@example.com", "visit", 0), received("1", "bob@example.com", "form", 0))
		lead, err := r.store.FindLead(t.Context(), "email:ada@example.com")
		must(t, err)
		row, err := r.store.Lead(t.Context(), lead)
		must(t, err)
		if _, err := r.store.FindLead(t.Context(), "email:bob@example.com"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a conflict bound an identifier: %v", err)
		}
		if row.Facts != 1 || r.counted(t, "leadpact_scoring_facts_total", "conflict") != 2 || r.digest(t) != before {
			t.Errorf("a conflict changed something: %d facts, %v conflicts, %v duplicates", row.Facts,
				r.counted(t, "leadpact_scoring_facts_total", "conflict"), r.counted(t, "leadpact_scoring_facts_total", "duplicate"))
		}
		if log := r.log.String(); strings.Count(log, "event="+event.DerivedID("web", "1")) != 2 || strings.Contains(log, "@") {
			t.Errorf("the log says %s", log)
		}
	})
}

// A conflict brings no identifiers, neither stored ones nor for the rest of its batch, wherever that is cut.
func TestAConflictBetweenOthers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		events := []*eventv1.Event{
			received("1", "ada@example.com", "form", 0),
			received("1", "bob@example.com", "form", 1, external("9")), // another person under a known id
			received("2", "bob@example.com", "form", 2),
			received("3", "", "visit", 3, external("9")),
			received("3", "eve@example.com", "visit", 3, external("9")), // and within the same batch
			received("4", "eve@example.com", "won", 4, func(e *eventv1.Event) { e.Source = "web" }),
			received("5", "eve@example.com", "visit", 5),
		}
		one := newRig(t, open(t))
		for _, e := range events {
			one.apply(t, e)
		}
		want, told := standings(t, one.store), one.told(t)
		if len(want) != 4 {
			t.Fatalf("%d people are known", len(want))
		}
		for n := 2; n <= len(events); n++ {
			r := newRig(t, open(t))
			for i := 0; i < len(events); i += n {
				r.apply(t, events[i:min(i+n, len(events))]...)
			}
			if diff := cmp.Diff(want, standings(t, r.store)); diff != "" {
				t.Errorf("in batches of %d: -want +got:\n%s", n, diff)
			}
			got := r.told(t)
			for _, lead := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(leadsOf(told), leadsOf(got))))) {
				if a, b := words(about(got, lead)), words(about(told, lead)); a != b {
					t.Errorf("in batches of %d: of one lead was told %s, not %s", n, a, b)
				}
			}
			if r.counted(t, "leadpact_scoring_facts_total", "conflict") != 2 || r.counted(t, "leadpact_scoring_facts_total", "applied") != 5 {
				t.Errorf("in batches of %d: the counters do not say what happened", n)
			}
		}
	})
}

// A sender's ids may hold an e-mail address: what is told and logged after an event names it by a hash.
func TestASendersIDStaysInTheFacts(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		const id = "ada@example.com/1"
		r := newRig(t, open(t))
		r.apply(t, received(id, "ada@example.com", "form", 0, size(250)))
		told := r.told(t)
		lead := told[0].GetLead()
		r.apply(t, activity("a1", lead, "accepted", "", 1, 1), received(id+"/won", "ada@example.com", "won", 2), received(id, "ada@example.com", "visit", 0))
		told = append(told, r.told(t)...)
		form, won := event.DerivedID("web", id), event.DerivedID("crm", id+"/won")
		var causes []string
		for _, e := range told {
			causes = append(causes, e.GetCause())
		}
		if want := []string{form, form, "a1", won, won}; !slices.Equal(causes, want) {
			t.Errorf("the causes of %s are %q, want %q", words(told), causes, want)
		}
		changes, err := r.store.Transitions(t.Context(), lead)
		must(t, err)
		for _, c := range changes {
			if strings.Contains(c.Cause, "@") || bytes.Contains(c.Data, []byte(id)) {
				t.Errorf("the change to %s keeps the sender's id", c.To)
			}
		}
		if log := r.log.String(); !strings.Contains(log, form) || strings.Contains(log, "@") {
			t.Errorf("the log says %s", log)
		}
	})
}
