package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
)

func transitionsAreUnique(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Scoring), random(t)
	var rows []store.Transition
	for _, n := range [][2]uint32{{1, 1}, {1, 2}, {1, 10}, {2, 1}, {10, 1}} {
		row := filled[store.Transition](r)
		row.Lead, row.Cycle, row.N = "l", n[0], n[1]
		rows = append(rows, row)
	}
	insert := func(rows ...store.Transition) error {
		return db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error { return tx.InsertTransitions(ctx, rows) })
	}
	must(t, insert(reversed(rows)...))
	again, other := rows[2], filled[store.Transition](r)
	again.To = "another stage"
	other.Lead = "other"
	if err := insert(other, again); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a second transition of one number: %v: want ErrConflict", err)
	}
	if err := insert(other, other); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a transition twice in one call: %v: want ErrConflict", err)
	}
	for lead, want := range map[string][]store.Transition{"l": rows, "other": {}, "L": {}} {
		read, err := db.Transitions(ctx, lead)
		must(t, err)
		same(t, "transitions of "+lead, read, want)
	}
}
