package handoff

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// missed lays the clocks of a handoff that were broken, and that nothing has corrected, beside what is on the desk of it. Of a handoff of
// an earlier cycle only they are laid out, with as much as telling of them takes; nil when it has none.
func (d *desk) missed(ctx context.Context, tx store.HandoffTx, key store.HandoffKey) (*file, error) {
	at := slices.IndexFunc(d.order, func(f *file) bool { return f.handoff.HandoffKey == key })
	if at >= 0 && d.order[at].searched {
		return d.order[at], nil
	}
	found, err := tx.MissedPromises(ctx, key)
	if err != nil || at < 0 && len(found) == 0 {
		return nil, err
	}
	if at < 0 {
		p := found[0]
		at, d.order = len(d.order), append(d.order, &file{handoff: store.HandoffRow{
			HandoffKey: key, State: p.HandoffState, Pool: p.Pool, Grade: p.Grade, Channel: p.Channel, Cause: p.Cause, Agreement: p.HandoffAgreement,
		}})
	}
	f := d.order[at]
	f.searched = true
	for _, p := range found {
		if slices.ContainsFunc(f.clocks, func(r *running) bool { return r.ID == p.ID }) {
			return nil, fmt.Errorf("clock %s was broken while it lay on the desk: %w", p.ID, store.ErrConflict)
		}
		f.clocks = append(f.clocks, &running{ClockRow: p.ClockRow, missed: true})
	}
	return f, nil
}

// wrong says whether a clock is recorded as missed and may yet turn out to have been kept. That of a lead that nobody held is kept by
// no activity.
func (r *running) wrong() bool {
	return r.State == store.ClockBreached && r.RespondedAt.IsZero() && r.Assignment != ""
}

// correct turns the verdicts that an outcome, just stored, shows to be wrong. A verdict is decided anew from all that counts for the
// clock, so that the order in which late words come changes nothing. The breach stays beside it, and so does its remedy: who lost the
// lead does not get it back. cause is the outcome's id.
func (d *desk) correct(ctx context.Context, tx store.HandoffTx, f *file, row store.Activity, cause string) error {
	var all []store.Activity
	for _, r := range slices.Clone(f.clocks) {
		if !r.wrong() || r.Assignment != row.Assignment || !between(r, done(row)) {
			continue
		}
		version, promise, err := d.promised(r.ClockRow)
		if err != nil {
			return err
		}
		if !slices.Contains(promise.StopsOn, row.Kind) && !slices.Contains(promise.MetBy, row.Kind) {
			continue
		}
		if !proves(version, row, r) {
			d.words = append(d.words, word{clock: r.ID, source: row.Source})
			continue
		}
		if all == nil {
			if all, err = tx.Activities(ctx, row.HandoffKey); err != nil {
				return err
			}
		}
		var deeds []clock.Deed
		for _, a := range all {
			if a.Assignment == r.Assignment && !a.History && proves(version, a, r) {
				deeds = append(deeds, clock.Deed{Kind: a.Kind, At: done(a)})
			}
		}
		if last, ok := clock.Kept(promise, state(r.ClockRow), deeds); ok {
			d.words = append(d.words, word{clock: r.ID, source: row.Source, turned: true})
			d.turn(f, r, last, row.Source, cause)
			d.tellTurn(f, r)
		}
	}
	return nil
}

// between says whether an instant lies in a clock's time.
func between(r *running, at time.Time) bool { return !at.Before(r.StartedAt) && at.Before(r.DueAt) }

// proves says whether an activity counts for a clock that was broken: when leadpact had heard of it before the clock was due, and when it
// came later from a source that the agreement names as a witness. Anybody else's word that something happened earlier is no proof.
func proves(version *agreement.Agreement, a store.Activity, r *running) bool {
	if a.RecordedAt.Before(r.DueAt) {
		return true
	}
	return a.Outside && slices.ContainsFunc(version.Sources, func(s agreement.Source) bool { return s.Witness && s.Name == a.Source })
}

// turn writes beside a breach that the promise was kept, or withdrawn before it was due.
func (d *desk) turn(f *file, r *running, last clock.Deed, source, cause string) {
	r.RespondedAt, r.Witness, r.dirty = last.At, source, true
	d.tell(f, r, last.At, &eventv1.Event{
		Id: event.DerivedID("clock.corrected", r.ID), Cause: cause,
		Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{
			Clock: f.told(r), RespondedAt: event.Micros(last.At), By: last.Kind, Source: source, BreachedAt: event.Micros(r.StoppedAt),
		}},
	})
}

// tellTurn tells of it those who were told of the breach.
func (d *desk) tellTurn(f *file, r *running) {
	to := d.roster.addresses(r.Rep)
	if r.Rep == "" {
		to = d.managers(f)
	}
	if manager := d.roster.managers[r.Team]; manager != "" {
		to = append(to, d.roster.addresses(manager)...)
	}
	d.notify(f, notice{typ: "clock.corrected", about: r.ID, rep: r.Rep, assignment: r.Assignment, clock: r.ID}, to)
}

// word is what became of an outcome that came after the breach of the clock that it speaks of.
type word struct {
	clock, source string
	turned        bool
}
