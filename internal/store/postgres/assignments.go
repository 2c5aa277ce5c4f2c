package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const assignmentColumns = `id, lead, cycle, n, version, rep, team, pool, started_at, accepted_at, ended_at, end_reason, decision`

func (t *handoffTx) LiveAssignments(ctx context.Context, leads []string) (map[string]store.Assignment, error) {
	rows, err := collect(ctx, t.tx, "read live assignments", scanAssignment,
		`SELECT `+assignmentColumns+` FROM assignments WHERE lead = ANY ($1) AND ended_at IS NULL`, leads)
	live := make(map[string]store.Assignment, len(rows))
	for _, a := range rows {
		live[a.Lead] = a
	}
	return live, err
}

func (t *handoffTx) Assignments(ctx context.Context, key store.HandoffKey) ([]store.Assignment, error) {
	return collect(ctx, t.tx, "read the assignments of a handoff", scanAssignment,
		`SELECT `+assignmentColumns+` FROM assignments WHERE lead = $1 AND cycle = $2 ORDER BY n`, key.Lead, key.Cycle)
}

func (t *handoffTx) InsertAssignments(ctx context.Context, rows []store.Assignment) error {
	_, err := exec(ctx, t.tx, "insert assignments", `
		INSERT INTO assignments (`+assignmentColumns+`)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
			$9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bytea[])`,
		column(rows, func(r store.Assignment) string { return r.ID }),
		column(rows, func(r store.Assignment) string { return r.Lead }),
		column(rows, func(r store.Assignment) int64 { return int64(r.Cycle) }),
		column(rows, func(r store.Assignment) int64 { return int64(r.N) }),
		column(rows, func(r store.Assignment) int64 { return r.Version }),
		column(rows, func(r store.Assignment) string { return r.Rep }),
		column(rows, func(r store.Assignment) string { return r.Team }),
		column(rows, func(r store.Assignment) string { return r.Pool }),
		column(rows, func(r store.Assignment) int64 { return micros(r.StartedAt) }),
		column(rows, func(r store.Assignment) int64 { return micros(r.AcceptedAt) }),
		column(rows, func(r store.Assignment) *int64 { return unlessZero(r.EndedAt) }),
		column(rows, func(r store.Assignment) string { return r.EndReason }),
		column(rows, func(r store.Assignment) []byte { return filled(r.Decision) }))
	return err
}

func (t *handoffTx) SaveAssignments(ctx context.Context, rows []store.Assignment) error {
	return save(ctx, t.tx, "save assignments", len(rows), `
		UPDATE assignments a SET version = new.version, accepted_at = new.accepted_at, ended_at = new.ended_at, end_reason = new.end_reason
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) AS new (id, version, accepted_at, ended_at, end_reason)
		WHERE a.id = new.id AND a.version = new.version - 1`,
		column(rows, func(r store.Assignment) string { return r.ID }),
		column(rows, func(r store.Assignment) int64 { return r.Version }),
		column(rows, func(r store.Assignment) int64 { return micros(r.AcceptedAt) }),
		column(rows, func(r store.Assignment) *int64 { return unlessZero(r.EndedAt) }),
		column(rows, func(r store.Assignment) string { return r.EndReason }))
}

func scanAssignment(row pgx.CollectableRow) (a store.Assignment, err error) {
	return a, row.Scan(&a.ID, &a.Lead, &a.Cycle, &a.N, &a.Version, &a.Rep, &a.Team, &a.Pool, instant{&a.StartedAt},
		instant{&a.AcceptedAt}, instant{&a.EndedAt}, &a.EndReason, &a.Decision)
}
