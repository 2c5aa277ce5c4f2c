package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

func (t *handoffTx) InsertActivities(ctx context.Context, rows []store.Activity) ([]bool, error) {
	key := func(r store.Activity) string { return r.ID }
	sorted := distinct(rows, key, cmp.Compare[string])
	inserted, err := collect(ctx, t.tx, "insert activities", pgx.RowTo[string], `
		INSERT INTO activities (id, lead, cycle, assignment, rep, kind, reason, occurred_at, recorded_at, outside, history)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
			$10::boolean[], $11::boolean[])
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
		column(sorted, func(r store.Activity) bool { return r.History }))
	if err != nil {
		return nil, err
	}
	return among(rows, key, inserted), nil
}
