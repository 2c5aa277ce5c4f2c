package scoring_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring"
)

type opener = func(t *testing.T) store.Scoring

func TestALeadFromTouchToWin(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "Ada@Example.com", "form", 0, size(250), external("7")))
		told := r.told(t)
		if got := words(told); got != "staged 1.1 new, staged 1.2 mql!" {
			t.Fatalf("told %s", got)
		}
		s := told[1].GetLeadStaged()
		if c := s.GetContact(); c.GetEmail() != "Ada@Example.com" || c.GetName() != "Ada Lovelace" || c.GetFields()["size"].GetNumber() != 250 {
			t.Errorf("the contact card is %v", c)
		}
		if told[0].GetLeadStaged().GetContact() != nil {
			t.Error("a change that hands nothing off carries a contact card")
		}
		if s.GetScore() != 50 || s.GetFit() != 20 || s.GetEngagement() != 30 || s.GetGrade() != "B" || len(s.GetReasons()) != 2 ||
			s.GetChannel() != "paid" || s.GetFirstSource() != "web" || s.GetFirstTouchAt() != event.Micros(start) {
			t.Errorf("the decision is %v", s)
		}
		if told[1].GetCause() != event.DerivedID("web", "1") || told[1].GetSource() != event.Scoring || told[1].GetRecordedAt() != event.Micros(start)+1000 {
			t.Errorf("the envelope is %v", told[1])
		}
		lead := told[0].GetLead()

		r.apply(t, activity("a1", lead, "accepted", "", 1, 1), received("2", "", "won", 2, external("7"), func(e *eventv1.Event) { e.Source = "web" }))
		told = r.told(t)
		if got := words(told); got != "staged 1.3 sal, staged 1.4 won, outcome 1 won" {
			t.Fatalf("told %s", got)
		}
		if told[1].GetLead() != lead || told[1].GetLeadStaged().GetRep() != "rep-1" || told[2].GetLeadOutcome().GetOutcome().GetReason() != "because" {
			t.Errorf("told %v", told[1:])
		}
		if r.counted(t, "leadpact_scoring_facts_total", "applied") != 3 || r.counted(t, "leadpact_scoring_decisions_total", "won") != 1 ||
			r.counted(t, "leadpact_scoring_decisions_total", "lost") != 0 || r.kicks.Load() != 2 {
			t.Error("the counters do not say what happened")
		}
	})
}

func TestOutcomesWaitForTheTouch(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "won", 9))
		if told := r.told(t); len(told) > 0 {
			t.Fatalf("an outcome alone told %s", words(told))
		}
		r.apply(t, received("2", "ada@example.com", "form", 3), received("3", "ada@example.com", "attempt", 4))
		if got := words(r.told(t)); got != "staged 1.1 new, staged 1.2 won, outcome 1 won, outcome 1 attempt" {
			t.Errorf("told %s", got)
		}
	})
}

func TestRecycling(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "form", 0, size(250)))
		lead := r.told(t)[0].GetLead()
		r.apply(t, activity("a1", lead, "rejected", "not-now", 1, 5), received("2", "ada@example.com", "visit", 4))
		if got := words(r.told(t)); got != "staged 1.3 nurture" {
			t.Fatalf("told %s", got)
		}
		r.apply(t, received("3", "ada@example.com", "visit", 6))
		if got := words(r.told(t)); got != "staged 2.1 new, staged 2.2 mql!" {
			t.Errorf("told %s", got)
		}
	})
}

func TestHistoryWakesNobody(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "form", 0, size(250), history), received("2", "ada@example.com", "attempt", 1, history))
		if got := words(r.told(t)); got != "h staged 1.1 new, h staged 1.2 mql, h outcome 1 attempt" {
			t.Fatalf("told %s", got)
		}
		r.apply(t, received("3", "ada@example.com", "visit", 2))
		if got := words(r.told(t)); got != "staged 1.3 mql!" {
			t.Errorf("the live touch after it told %s", got)
		}
	})
}

// History that comes in disorder is told again in its own order, in whatever batches it comes.
func TestHistoryInDisorder(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		events := []*eventv1.Event{
			received("1", "ada@example.com", "visit", 0, history), received("2", "ada@example.com", "visit", 5, history),
			received("3", "ada@example.com", "lost", 3, history), received("4", "ada@example.com", "visit", 1, history),
			received("5", "ada@example.com", "lost", 6, history),
			// Two forms in two days made Bob an MQL, though by the time of the third the first is worth little.
			received("6", "bob@example.com", "form", 0, history), received("7", "bob@example.com", "form", 24*40, history),
			received("8", "bob@example.com", "form", 24, history),
		}
		const want = "h staged 1.1 new, h staged 1.2 lost, h staged 2.1 new, h outcome 1 lost, h staged 2.2 lost, h outcome 2 lost, " +
			"h staged 1.1 new, h staged 1.2 mql"
		for n := 1; n <= len(events); n++ {
			r := newRig(t, open(t))
			for i := 0; i < len(events); i += n {
				r.apply(t, events[i:min(i+n, len(events))]...)
			}
			told := r.told(t)
			leads := leadsOf(told)
			if len(leads) != 2 {
				t.Fatalf("%d leads were told of", len(leads))
			}
			first, second := about(told, leads[0]), about(told, leads[1])
			if len(first) < len(second) {
				first, second = second, first
			}
			if got := words(append(first, second...)); got != want {
				t.Errorf("in batches of %d: told %s", n, got)
			}
		}
	})
}

// funnel is a history of many leads: touches and outcomes in time order.
func funnel(random *rand.Rand) []*eventv1.Event {
	var out []*eventv1.Event
	for n := range 300 {
		person := random.IntN(40)
		email := string(rune('a'+person%26)) + strings.Repeat("x", person/26) + "@example.com"
		kind := []string{"form", "form", "visit", "unsubscribed", "attempt", "accepted", "won", "lost"}[random.IntN(8)]
		e := received(event.DerivedID(email, kind, string(rune(n)))[:8], email, kind, n, history, external(email[:2]))
		if random.IntN(4) == 0 {
			size(float64(random.IntN(300)))(e)
		}
		out = append(out, e)
	}
	return out
}

// However a history is cut into batches, whatever is delivered twice, and on whatever day it is taken in, the state is the same; and
// so is what was told.
func TestBatchesAndRepetitionDoNotMatter(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		events := funnel(random)
		one := newRig(t, open(t))
		one.apply(t, events...)
		want, told := one.digest(t), one.told(t)

		other := newRig(t, open(t))
		var again []*eventv1.Event
		for rest := events; len(rest) > 0; {
			n := 1 + random.IntN(min(20, len(rest)))
			var batch []*eventv1.Event
			for _, e := range slices.Concat(again, rest[:n]) {
				e = proto.CloneOf(e)
				e.RecordedAt += 30 * 86_400_000_000
				batch = append(batch, e)
			}
			other.apply(t, batch...)
			again, rest = batch[:random.IntN(len(batch))], rest[n:]
		}
		if got := other.digest(t); got != want {
			t.Errorf("other batches gave another state")
		}
		got := other.told(t)
		for _, lead := range leadsOf(told) {
			if a, b := words(about(got, lead)), words(about(told, lead)); a != b {
				t.Errorf("of one lead was told\n\t%s\n\t%s", a, b)
			}
		}
		if len(got) != len(told) || len(told) == 0 {
			t.Errorf("%d events were told, then %d", len(told), len(got))
		}
	})
}

// What is known does not depend on the order of arrival; and where guards ask for deeds and for points that stay, neither does
// the stage.
func TestOrderDoesNotMatter(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		var events []*eventv1.Event
		for _, e := range funnel(random) {
			if kind := e.GetLeadReceived().GetKind(); kind != "lost" && kind != "attempt" && kind != "unsubscribed" && e.GetLeadReceived().GetFields() == nil {
				events = append(events, e)
			}
		}
		one, other := newRig(t, open(t)), newRig(t, open(t))
		for _, r := range []*rig{one, other} {
			r.versions.activate(t, "half_life: 14d, ", "")
			for rest := events; len(rest) > 0; {
				n := min(17, len(rest))
				r.apply(t, rest[:n]...)
				rest = rest[n:]
			}
			random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		}
		if one.digest(t) != other.digest(t) {
			t.Error("another order gave another state")
		}
	})
}

func TestPoisonIsPermanent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		for name, change := range map[string]func(*eventv1.Event){
			"no person":           func(e *eventv1.Event) { e.GetLeadReceived().Email = "nobody" },
			"no id":               func(e *eventv1.Event) { e.Id = "" },
			"no source":           func(e *eventv1.Event) { e.Source = "" },
			"no mode":             func(e *eventv1.Event) { e.Mode = 0 },
			"no time":             func(e *eventv1.Event) { e.OccurredAt = 0 },
			"an id with a NUL":    func(e *eventv1.Event) { e.GetLeadReceived().ExternalId = "a\x00b" },
			"an unknown outcome":  func(e *eventv1.Event) { e.GetLeadReceived().Outcome = &eventv1.Outcome{Kind: "sold"} },
			"a rejection outside": func(e *eventv1.Event) { e.GetLeadReceived().Outcome = &eventv1.Outcome{Kind: "rejected"} },
			"an activity of no lead": func(e *eventv1.Event) {
				e.Body = &eventv1.Event_LeadActivity{LeadActivity: &eventv1.LeadActivity{Kind: "attempt", Cycle: 1}}
			},
		} {
			bad := received("bad", "eve@example.com", "form", 0, change)
			err := r.Apply(t.Context(), 0, []*eventv1.Event{received("good", "ada@example.com", "form", 0), bad})
			if !bus.IsPermanent(err) || strings.Contains(err.Error(), "eve@") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if told := r.told(t); len(told) > 0 {
			t.Errorf("a refused batch told %s", words(told))
		}
		must(t, r.Quarantine(t.Context(), []store.Quarantined{{Key: "k", Stream: "ingest", Source: "web", EventID: "bad", Raw: []byte("x"), Reason: "y", Attempts: 1, At: start}}))
		kept, err := r.store.ListQuarantined(t.Context(), store.Search{Limit: 10})
		must(t, err)
		if len(kept) != 1 {
			t.Errorf("%d events are in quarantine", len(kept))
		}
		r.apply(t, &eventv1.Event{Id: "x", Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{}}}) // not for scoring
	})
}

func TestWithoutAnAgreementFactsWait(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.versions.active.Store(nil)
		e := received("1", "ada@example.com", "form", 0)
		if err := r.Apply(t.Context(), 0, []*eventv1.Event{e}); err == nil || bus.IsPermanent(err) {
			t.Fatalf("Apply: %v; want an error that passes", err)
		}
		r.versions.activate(t)
		r.apply(t, e)
		if got := words(r.told(t)); got != "staged 1.1 new" {
			t.Errorf("told %s", got)
		}
	})
}

// After a new agreement the next fact folds all of them again; what is known then is what a store knows that never had the old one.
func TestRefoldEqualsAFreshFold(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		events := funnel(rand.New(rand.NewPCG(seed, 0)))
		change := []string{"points: 30", "points: 35", "half_life: 14d", "half_life: 9d", "country: text", "country: flag", "precedence: [crm]", "precedence: [web]"}
		one, other := newRig(t, open(t)), newRig(t, open(t))
		one.apply(t, events[:200]...)
		one.versions.activate(t, change...)
		one.apply(t, events[200:]...)
		other.versions.activate(t, change...)
		other.apply(t, events...)
		want := standings(t, other.store)
		refolded := 0
		for key, got := range standings(t, one.store) {
			row, err := one.store.Lead(t.Context(), got.Lead)
			must(t, err)
			if row.Agreement != one.versions.active.Load().Hash {
				continue // no fact came after the change
			}
			refolded++
			if !bytes.Equal(got.Knowledge, want[key].Knowledge) {
				t.Errorf("%s: after a refold\n%s\nafter a fresh fold\n%s", key, got.Knowledge, want[key].Knowledge)
			}
		}
		if refolded < 10 {
			t.Errorf("only %d leads were folded again", refolded)
		}
	})
}

// An audit folds all facts again: it is silent over what the service wrote, and names a lead whose knowledge is not that of its facts.
func TestTheAuditFindsWhatIsNotTheFold(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, funnel(rand.New(rand.NewPCG(3, 4)))...)
		audit := func() (found []string, looked int) {
			looked, err := scoring.Refold(t.Context(), r.store, r.versions.all, func(lead, _ string) { found = append(found, lead) })
			must(t, err)
			return found, looked
		}
		if found, looked := audit(); len(found) > 0 || looked < 20 {
			t.Fatalf("of %d leads it reports %v", looked, found)
		}
		var one store.Lead
		for _, s := range standings(t, r.store) {
			row, err := r.store.Lead(t.Context(), s.Lead)
			must(t, err)
			one = row
		}
		must(t, r.store.Update(t.Context(), func(ctx context.Context, tx store.ScoringTx) error {
			if _, err := tx.LockLeads(ctx, []string{one.ID}); err != nil {
				return err
			}
			one.Version, one.Knowledge = one.Version+1, nil
			return tx.SaveLeads(ctx, []store.Lead{one})
		}))
		if found, _ := audit(); !slices.Equal(found, []string{one.ID}) {
			t.Errorf("it reports %v, not %s", found, one.ID)
		}
	})
}

// failing lets a transaction do everything, and then fails it.
type failing struct {
	store.Scoring
	err error
}

func (f failing) Update(ctx context.Context, do func(context.Context, store.ScoringTx) error) error {
	return f.Scoring.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		return errors.Join(do(ctx, tx), f.err)
	})
}

func TestAFailedTransactionLeavesNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		s := open(t)
		broken := newRig(t, failing{s, errors.New("the disk is full")})
		empty := broken.digest(t)
		e := received("1", "ada@example.com", "form", 0, size(250))
		if err := broken.Apply(t.Context(), 0, []*eventv1.Event{e}); err == nil || bus.IsPermanent(err) {
			t.Fatalf("Apply: %v; want an error that passes", err)
		}
		_, err := s.FindLead(t.Context(), "email:ada@example.com")
		if has, hasErr := s.HasFacts(t.Context(), []store.FactKey{{Source: "web", ID: "1"}}); hasErr != nil || len(has) != 0 || !errors.Is(err, store.ErrNotFound) {
			t.Errorf("facts %v (%v), lead %v", has, hasErr, err)
		}
		if told := broken.told(t); len(told) != 0 || broken.digest(t) != empty || broken.kicks.Load() != 0 ||
			broken.counted(t, "leadpact_scoring_facts_total", "applied") != 0 {
			t.Errorf("something was left: told %s", words(told))
		}
		r := newRig(t, s)
		r.apply(t, e)
		if got := words(r.told(t)); got != "staged 1.1 new, staged 1.2 mql!" {
			t.Errorf("told %s", got)
		}
	})
}

// Two replicas that both believe to own a partition apply the same events at once, cut differently: each fact counts once.
func TestTwoOwnersAtOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		s := open(t)
		events := funnel(rand.New(rand.NewPCG(1, 2)))
		reference := newRig(t, open(t))
		reference.apply(t, events...)
		rigs := []*rig{newRig(t, s), newRig(t, s)}
		var group sync.WaitGroup
		for i, r := range rigs {
			group.Go(func() {
				for rest := events; len(rest) > 0; {
					n := min(11+6*i, len(rest))
					if err := r.Apply(t.Context(), 0, rest[:n]); err != nil {
						t.Errorf("apply: %v", err)
						return
					}
					rest = rest[n:]
				}
			})
		}
		group.Wait()
		counted := 0.0
		for _, r := range rigs {
			counted += r.counted(t, "leadpact_scoring_facts_total", "applied")
		}
		if counted != float64(len(events)) {
			t.Errorf("%v facts were applied, %d were sent", counted, len(events))
		}
		if rigs[0].digest(t) != reference.digest(t) {
			t.Error("the state is not that of one owner")
		}
		if a, b := len(rigs[0].told(t)), len(reference.told(t)); a != b {
			t.Errorf("%d events were told, by one owner %d", a, b)
		}
	})
}

func standings(t *testing.T, s store.Scoring) map[string]scoring.Standing {
	t.Helper()
	out := map[string]scoring.Standing{}
	must(t, scoring.EachStanding(t.Context(), s, func(one scoring.Standing) error {
		out[one.Key] = one
		return nil
	}))
	return out
}

func leadsOf(events []*eventv1.Event) []string {
	seen := map[string]bool{}
	var out []string
	for _, e := range events {
		if !seen[e.GetLead()] {
			seen[e.GetLead()] = true
			out = append(out, e.GetLead())
		}
	}
	return out
}

func about(events []*eventv1.Event, lead string) []*eventv1.Event {
	var out []*eventv1.Event
	for _, e := range events {
		if e.GetLead() == lead {
			out = append(out, e)
		}
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
