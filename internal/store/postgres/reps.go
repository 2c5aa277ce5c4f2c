package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// LockReps makes what is missing and then locks, both in sorted order; see LockLeads.
func (t *handoffTx) LockReps(ctx context.Context, reps []string) ([]store.RepLoad, error) {
	sorted := sortedSet(reps)
	_, err := exec(ctx, t.tx, "make reps", `INSERT INTO reps (rep) SELECT * FROM unnest($1::text[]) ON CONFLICT (rep) DO NOTHING`, sorted)
	if err != nil {
		return nil, err
	}
	return collect(ctx, t.tx, "lock reps", scanRepLoad, `SELECT rep, live FROM reps WHERE rep = ANY ($1) ORDER BY rep FOR UPDATE`, sorted)
}

func (t *handoffTx) SaveReps(ctx context.Context, loads []store.RepLoad) error {
	_, err := exec(ctx, t.tx, "save reps", `
		UPDATE reps SET live = new.live FROM unnest($1::text[], $2::bigint[]) AS new (rep, live) WHERE reps.rep = new.rep`,
		column(loads, func(l store.RepLoad) string { return l.Rep }),
		column(loads, func(l store.RepLoad) int64 { return int64(l.Live) }))
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
