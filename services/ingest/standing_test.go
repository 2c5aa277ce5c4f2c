package ingest

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// staged is what scoring says when an event of form moves a lead.
func staged(lead, id, to string, score float64, handoff bool) *eventv1.Event {
	return &eventv1.Event{Lead: lead, Cause: event.DerivedID("form", id), Body: &eventv1.Event_LeadStaged{
		LeadStaged: &eventv1.LeadStaged{To: to, Score: score, Handoff: handoff},
	}}
}

func assigned(lead, rep string) *eventv1.Event {
	return &eventv1.Event{Lead: lead, Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{Terms: &eventv1.Terms{Rep: rep}}}}
}

// Two people under one id, both on their way: the first is told of his lead, and the other of nobody's, whoever is done first.
func TestStandingsOfOneID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStandings()
		ada, forgetAda := s.expect("form", "1", "email:ada@example.com")
		bob, forgetBob := s.expect("form", "1", "email:bob@example.com")
		again, forgetAgain := s.expect("form", "1", "email:ada@example.com")
		began := time.Now()
		if st, ok := bob(t.Context()); ok || time.Since(began) != 0 {
			t.Errorf("the other is told %+v after %v", st, time.Since(began))
		}
		forgetBob()
		if _, ok := again(t.Context()); ok {
			t.Error("the repeat is told of a lead that nobody has heard of")
		}
		forgetAgain()
		s.hear(staged("the lead of ada", "1", "mql", 50, false))
		s.hear(assigned("the lead of ada", "ana"))
		if st, ok := ada(t.Context()); !ok || st.Lead != "the lead of ada" || st.Owner != "ana" {
			t.Errorf("the first is told %+v", st)
		}
		forgetAda()
		late, forget := s.expect("form", "2", "email:bob@example.com")
		if st, ok := late(t.Context()); ok {
			t.Errorf("the other is known as %+v", st)
		}
		forget()
		if len(s.waiting) != 0 {
			t.Errorf("%d wait for ever", len(s.waiting))
		}
	})
}

// A lead that has an owner is answered for when its own event was heard of, not as it stood before; an event that moves nothing is
// waited for a while.
func TestStandingsAfterTheEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hear func(*eventv1.Event)
		w := newWorld(t, &faulty{partitions: 1}, func(c *Config) {
			c.Follow = func(ctx context.Context, f func(*eventv1.Event)) error {
				hear = f
				<-ctx.Done()
				return nil
			}
			c.Agreements.(*inForce).Store(changed(t, "form", func(s *agreement.Source) { s.Tool.Answer.Standing = true }))
		})
		synctest.Wait()
		answers := func(l *later, stage, owner string) {
			t.Helper()
			synctest.Wait()
			if !l.answered() {
				t.Fatalf("no answer of %s", stage)
			}
			var st standing
			if err := json.Unmarshal(l.rec.Body.Bytes(), &st); err != nil || st.Stage != stage || st.Owner != owner {
				t.Errorf("answered %s, want %s of %s: %v", l.rec.Body, stage, owner, err)
			}
		}
		quiet := func(l *later, after string) {
			t.Helper()
			synctest.Wait()
			if l.answered() {
				t.Fatalf("answered after %s: %s", after, l.rec.Body)
			}
		}
		post := func(id string) *later { return w.later(request(t, "form", `{"id":"`+id+`","external_id":"7"}`)) }

		l := post("1")
		quiet(l, "nothing")
		hear(staged("lead", "1", "mql", 50, true))
		quiet(l, "a handoff that has nobody yet")
		hear(assigned("lead", "ana"))
		answers(l, "mql", "ana")

		l = post("2")
		quiet(l, "what was known before")
		hear(staged("lead", "another", "sql", 60, false))
		quiet(l, "another event")
		hear(staged("lead", "2", "won", 90, false))
		answers(l, "won", "ana")

		l = post("3")
		time.Sleep(assignedWithin - time.Millisecond) // of the bubble's clock
		quiet(l, "almost the whole while")
		time.Sleep(time.Millisecond)
		answers(l, "won", "ana")
		w.stop()
	})
}
