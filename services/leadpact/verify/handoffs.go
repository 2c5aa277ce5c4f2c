package verify

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// grace is how long after its due time an open clock counts as left behind.
const grace = 5 * time.Second

func oneOwner(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	var last store.Assignment
	looked := 0
	err := v.handoff.EachAssignment(ctx, func(a store.Assignment, _ []store.ClockRow) error {
		looked++
		if a.Lead == last.Lead {
			switch {
			case last.EndedAt.IsZero():
				f.add("lead %s: assignment %s lives on beside %s", a.Lead, last.ID, a.ID)
			case a.StartedAt.Before(last.EndedAt):
				f.add("lead %s: assignment %s began before %s ended", a.Lead, a.ID, last.ID)
			}
		}
		last = a
		return nil
	})
	return looked, f, err
}

func loadsCounted(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	stored, counted, err := v.handoff.RepLoads(ctx)
	if err != nil {
		return 0, f, err
	}
	for rep, n := range counted {
		if stored[rep] != n {
			f.add("rep %s holds %d live assignments, %d are written down", rep, n, stored[rep])
		}
	}
	for rep, n := range stored {
		if _, ok := counted[rep]; !ok && n != 0 {
			f.add("rep %s holds no live assignment, %d are written down", rep, n)
		}
	}
	return len(stored), f, nil
}

func clocksResolved(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	now, err := v.handoff.Now(ctx)
	if err != nil {
		return 0, f, err
	}
	looked := 0
	err = v.handoff.EachAssignment(ctx, func(a store.Assignment, clocks []store.ClockRow) error {
		for _, c := range clocks {
			looked++
			if c.State == store.ClockOpen && !a.EndedAt.IsZero() {
				f.add("clock %s runs on although assignment %s ended", c.ID, a.ID)
			}
			if c.State == store.ClockOpen && c.DueAt.Before(now.Add(-grace)) {
				f.add("clock %s was due %s ago and is still open", c.ID, now.Sub(c.DueAt).Round(time.Second))
			}
		}
		return nil
	})
	if err != nil {
		return 0, f, err
	}
	overdue, err := v.handoff.OverdueClocks(ctx, now.Add(-grace))
	if err == nil && overdue > 0 {
		f.add("%d clocks are overdue, those of waiting handoffs included", overdue)
	}
	return looked, f, err
}

// breachesTold compares handoff's breached clocks with the ledger's breaches.
func breachesTold(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	type breach struct {
		times int
		due   int64
	}
	told := map[string]breach{}
	for shard := range ledger.Shards {
		err := v.entries(ctx, shard, "clock.breached", func(entry store.Entry) error {
			var e eventv1.Event
			if err := proto.Unmarshal(entry.Data, &e); err != nil {
				return fmt.Errorf("read line %d of shard %d: %w", entry.Seq, shard, err)
			}
			c := e.GetClockBreached().GetClock()
			told[c.GetId()] = breach{told[c.GetId()].times + 1, c.GetDueAt()}
			if e.GetRecordedAt() < c.GetDueAt() {
				f.add("clock %s was breached %d µs early", c.GetId(), c.GetDueAt()-e.GetRecordedAt())
			}
			if e.GetOccurredAt() != c.GetDueAt() {
				f.add("the breach of clock %s is not recorded at its due time", c.GetId())
			}
			return nil
		})
		if err != nil {
			return 0, f, err
		}
	}
	for id, b := range told {
		if b.times > 1 {
			f.add("clock %s was breached %d times", id, b.times)
		}
	}
	err := v.handoff.EachAssignment(ctx, func(_ store.Assignment, clocks []store.ClockRow) error {
		for _, c := range clocks {
			b := told[c.ID]
			switch {
			case (c.State == store.ClockBreached) != (b.times > 0):
				f.add("clock %s is %s in handoff and was told as breached %d times", c.ID, c.State, b.times)
			case b.times > 0 && b.due != event.Micros(c.DueAt):
				f.add("clock %s was due at %s and told as due at %s", c.ID, c.DueAt, event.Time(b.due))
			}
		}
		return nil
	})
	return len(told), f, err
}

// correctionsTold compares the clocks that handoff has as kept, or withdrawn, after all with the corrections in the ledger.
func correctionsTold(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	told := map[string]*eventv1.ClockCorrected{}
	for shard := range ledger.Shards {
		broken := map[string]bool{} // so far: a clock has one shard, as its lead has
		err := v.entries(ctx, shard, "", func(entry store.Entry) error {
			if entry.Type != "clock.breached" && entry.Type != "clock.corrected" {
				return nil
			}
			var e eventv1.Event
			if err := proto.Unmarshal(entry.Data, &e); err != nil {
				return fmt.Errorf("read line %d of shard %d: %w", entry.Seq, shard, err)
			}
			if b := e.GetClockBreached(); b != nil {
				broken[b.GetClock().GetId()] = true
				return nil
			}
			c := e.GetClockCorrected()
			id, at := c.GetClock().GetId(), c.GetRespondedAt()
			switch {
			case !broken[id]:
				f.add("clock %s was corrected before it was breached", id)
			case told[id] != nil:
				f.add("clock %s was corrected twice", id)
			case at < c.GetClock().GetStartedAt() || at >= c.GetClock().GetDueAt():
				f.add("clock %s was corrected by what was done at %s, not between its start and its due time", id, event.Time(at))
			}
			told[id] = c
			return nil
		})
		if err != nil {
			return 0, f, err
		}
	}
	looked := len(told)
	err := v.handoff.EachAssignment(ctx, func(_ store.Assignment, clocks []store.ClockRow) error {
		for _, c := range clocks {
			t := told[c.ID]
			delete(told, c.ID)
			switch {
			case t == nil && c.RespondedAt.IsZero():
			case t == nil || c.RespondedAt.IsZero():
				f.add("clock %s is corrected in handoff: %v, in the ledger: %v", c.ID, !c.RespondedAt.IsZero(), t != nil)
			case t.GetRespondedAt() != event.Micros(c.RespondedAt) || t.GetSource() != c.Witness:
				f.add("clock %s was kept at %s by the word of %q, and told as kept at %s by the word of %q",
					c.ID, c.RespondedAt, c.Witness, event.Time(t.GetRespondedAt()), t.GetSource())
			}
		}
		return nil
	})
	for id, t := range told {
		if t.GetClock().GetTerms().GetAssignment() != "" {
			f.add("clock %s was corrected and is none of an assignment", id)
		}
	}
	return looked, f, err
}

func outboxesEmpty(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	for name, s := range map[string]store.Base{"scoring": v.scoring, "handoff": v.handoff, "compliance": v.compliance} {
		n, _, err := s.Queued(ctx)
		if err != nil {
			return 0, f, err
		}
		if n > 0 {
			f.add("%d messages wait in the outbox of %s", n, name)
		}
	}
	return 3, f, nil
}
