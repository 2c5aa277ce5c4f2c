package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const transitionColumns = `lead, cycle, n, from_stage, to_stage, at, agreement, cause, data`

func (s *scoring) Transitions(ctx context.Context, lead string) ([]store.Transition, error) {
	return collect(ctx, s.pool, "read transitions", func(row pgx.CollectableRow) (t store.Transition, err error) {
		return t, row.Scan(&t.Lead, &t.Cycle, &t.N, &t.From, &t.To, instant{&t.At}, &t.Agreement, &t.Cause, &t.Data)
	}, `SELECT `+transitionColumns+` FROM transitions WHERE lead = $1 ORDER BY cycle, n`, lead)
}

func (t *scoringTx) InsertTransitions(ctx context.Context, rows []store.Transition) error {
	_, err := exec(ctx, t.tx, "insert transitions", `
		INSERT INTO transitions (`+transitionColumns+`)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bytea[])`,
		column(rows, func(r store.Transition) string { return r.Lead }),
		column(rows, func(r store.Transition) int64 { return int64(r.Cycle) }),
		column(rows, func(r store.Transition) int64 { return int64(r.N) }),
		column(rows, func(r store.Transition) string { return r.From }),
		column(rows, func(r store.Transition) string { return r.To }),
		column(rows, func(r store.Transition) int64 { return micros(r.At) }),
		column(rows, func(r store.Transition) string { return r.Agreement }),
		column(rows, func(r store.Transition) string { return r.Cause }),
		column(rows, func(r store.Transition) []byte { return filled(r.Data) }))
	return err
}
