package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const activityColumns = `id, lead, cycle, assignment, rep, kind, reason, occurred_at, recorded_at, outside, history, source`

func (t *handoffTx) InsertActivities(ctx context.Context, rows []store.Activity) ([]bool, error) {
	key := func(r store.Activity) string { return r.ID }
	sorted := distinct(rows, key, cmp.Compare[string])
	inserted, err := collect(ctx, t.tx, "insert activities", pgx.RowTo[string], `
		INSERT INTO activities (`+activityColumns+`)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
			$10::boolean[], $11::boolean[], $12::text[])
		ON CONFLICT (id) DO NOTHING RETURNING id`,
		column(sorted, key),
		column(sorted, func(r store.Activity) string { return r.Lead }),
		column(sorted, func(r store.Activity) int64 { return int64(r.Cycle) }),
		column(sorted, func(r store.Activity) string { return r.Assignment }),
		column(sorted, func(r store.Activity) string { return r.Rep }),
		column(sorted, func(r store.Activity) string { return r.Kind }),
		column(sorted, func(r store.Activity) string { return r.Reason }),
		column(sorted, func(r store.Activity) int64 { return micros(r.OccurredAt) }),
		column(sorted, func(r store.Activity) int64 { return micros(r.RecordedAt) }),
		column(sorted, func(r store.Activity) bool { return r.Outside }),
		column(sorted, func(r store.Activity) bool { return r.History }),
		column(sorted, func(r store.Activity) string { return r.Source }))
	if err != nil {
		return nil, err
	}
	return among(rows, key, inserted), nil
}

func (t *handoffTx) Activities(ctx context.Context, key store.HandoffKey) ([]store.Activity, error) {
	return collect(ctx, t.tx, "read activities", func(row pgx.CollectableRow) (a store.Activity, err error) {
		return a, row.Scan(&a.ID, &a.Lead, &a.Cycle, &a.Assignment, &a.Rep, &a.Kind, &a.Reason, instant{&a.OccurredAt}, instant{&a.RecordedAt},
			&a.Outside, &a.History, &a.Source)
	}, `SELECT `+activityColumns+` FROM activities WHERE lead = $1 AND cycle = $2 ORDER BY occurred_at, id`, key.Lead, key.Cycle)
}
