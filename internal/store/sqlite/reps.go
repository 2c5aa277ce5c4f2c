package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

func loadFields(l *store.RepLoad) []any { return []any{&l.Rep, &l.Live} }

// LockReps returns the reps' loads, made when missing. The transaction is the only writer: that is the lock.
func (t handoffTx) LockReps(ctx context.Context, reps []string) ([]store.RepLoad, error) {
	const op = "lock reps"
	var loads []store.RepLoad
	for _, rep := range sorted(reps) {
		if _, err := t.exec(ctx, op, `INSERT INTO reps (rep) VALUES (?) ON CONFLICT DO NOTHING`, rep); err != nil {
			return nil, err
		}
		l, err := one(ctx, t, op, loadFields, `SELECT rep, live FROM reps WHERE rep = ?`, rep)
		if err != nil {
			return nil, err
		}
		loads = append(loads, l)
	}
	return loads, nil
}

// SaveReps writes loads that LockReps returned.
func (t handoffTx) SaveReps(ctx context.Context, loads []store.RepLoad) error {
	for _, l := range loads {
		if _, err := t.exec(ctx, "save reps", `UPDATE reps SET live = ? WHERE rep = ?`, l.Live, l.Rep); err != nil {
			return err
		}
	}
	return nil
}

// RepLoads returns the stored loads and the counted ones, of one moment.
func (h handoff) RepLoads(ctx context.Context) (stored, counted map[string]int, err error) {
	const op = "count loads"
	load := func(q queryer, query string) (map[string]int, error) {
		rows, err := collect(ctx, q, op, loadFields, query)
		if err != nil {
			return nil, err
		}
		loads := make(map[string]int, len(rows))
		for _, l := range rows {
			loads[l.Rep] = l.Live
		}
		return loads, nil
	}
	err = h.snapshot(ctx, op, func(q queryer) error {
		if stored, err = load(q, `SELECT rep, live FROM reps`); err != nil {
			return err
		}
		counted, err = load(q, `SELECT rep, count(*) FROM assignments WHERE ended_at IS NULL GROUP BY rep`)
		return err
	})
	return stored, counted, err
}
