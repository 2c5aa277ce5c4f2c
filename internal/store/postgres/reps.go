package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leadpact/leadpact/internal/store"
)

func (t *handoffTx) Loads(ctx context.Context, reps []string) ([]store.RepLoad, error) {
	asked := sortedSet(reps)
	stored, err := collect(ctx, t.tx, "read loads", scanRepLoad, `SELECT rep, live FROM reps WHERE rep = ANY ($1)`, asked)
	if err != nil {
		return nil, err
	}
	live := make(map[string]int, len(stored))
	for _, l := range stored {
		live[l.Rep] = l.Live
	}
	loads := make([]store.RepLoad, len(asked))
	for i, rep := range asked {
		loads[i] = store.RepLoad{Rep: rep, Live: live[rep]}
	}
	return loads, nil
}

// AddLoads locks the rows in sorted order before it changes them, for an UPDATE takes its own. A rep who gets his first lead has no
// row yet: it is made, and then the rest is as with all others.
func (t *handoffTx) AddLoads(ctx context.Context, changes []store.LoadChange) error {
	changes = slices.SortedFunc(slices.Values(changes), func(a, b store.LoadChange) int { return cmp.Compare(a.Rep, b.Rep) })
	reps := column(changes, func(c store.LoadChange) string { return c.Rep })
	var there, written int64
	batch := &pgx.Batch{}
	batch.Queue(`SELECT count(*) FROM (SELECT FROM reps WHERE rep = ANY ($1) ORDER BY rep FOR UPDATE) AS locked`, reps).QueryRow(func(r pgx.Row) error { return r.Scan(&there) })
	batch.Queue(`
		UPDATE reps SET live = live + c.delta FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (rep, delta, capacity)
		WHERE reps.rep = c.rep AND (c.delta <= 0 OR live + c.delta <= c.capacity)`,
		reps, column(changes, func(c store.LoadChange) int64 { return int64(c.Delta) }),
		column(changes, func(c store.LoadChange) int64 { return int64(c.Capacity) })).Exec(func(tag pgconn.CommandTag) error {
		written = tag.RowsAffected()
		return nil
	})
	if err := t.tx.SendBatch(ctx, batch).Close(); err != nil {
		return kept(t.tx, failed("add to loads", err))
	}
	if written < there {
		return kept(t.tx, fmt.Errorf("postgres: add to loads: %d reps have no room any more: %w", there-written, store.ErrConflict))
	}
	if there == int64(len(changes)) {
		return nil
	}
	return t.firstLoads(ctx, changes, int64(len(changes))-there)
}

// firstLoads makes the missing rows. One that another transaction makes at the same time is waited for, and then the race is lost.
func (t *handoffTx) firstLoads(ctx context.Context, changes []store.LoadChange, missing int64) error {
	made, err := exec(ctx, t.tx, "make loads", `
		INSERT INTO reps (rep, live)
		SELECT c.rep, c.delta FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (rep, delta, capacity)
		WHERE NOT EXISTS (SELECT FROM reps WHERE reps.rep = c.rep) AND (c.delta <= 0 OR c.delta <= c.capacity)
		ORDER BY c.rep`,
		column(changes, func(c store.LoadChange) string { return c.Rep }),
		column(changes, func(c store.LoadChange) int64 { return int64(c.Delta) }),
		column(changes, func(c store.LoadChange) int64 { return int64(c.Capacity) }))
	if err == nil && made < missing {
		err = kept(t.tx, fmt.Errorf("postgres: make loads: another transaction was faster: %w", store.ErrConflict))
	}
	return err
}

// RepLoads reads both numbers from one snapshot: a lead assigned in between would look like a miscount.
func (h *handoff) RepLoads(ctx context.Context) (stored, counted map[string]int, err error) {
	err = h.snapshot(ctx, func(ctx context.Context, tx *transaction) error {
		if stored, err = repLoads(ctx, tx, `SELECT rep, live FROM reps`); err != nil {
			return err
		}
		counted, err = repLoads(ctx, tx, `SELECT rep, count(*) FROM assignments WHERE ended_at IS NULL GROUP BY rep`)
		return err
	})
	return stored, counted, err
}

func repLoads(ctx context.Context, q querier, sql string) (map[string]int, error) {
	rows, err := collect(ctx, q, "count loads", scanRepLoad, sql)
	loads := make(map[string]int, len(rows))
	for _, l := range rows {
		loads[l.Rep] = l.Live
	}
	return loads, err
}

func scanRepLoad(row pgx.CollectableRow) (l store.RepLoad, err error) {
	return l, row.Scan(&l.Rep, &l.Live)
}
