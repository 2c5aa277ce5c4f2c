package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const rosterQuery = `SELECT version, hash, document, at, actor FROM rosters `

func scanRoster(row pgx.CollectableRow) (r store.RosterRow, err error) {
	return r, row.Scan(&r.Version, &r.Hash, &r.Text, instant{&r.At}, &r.Actor)
}

// SaveRoster holds the table's lock: two replicas that start with one roster compare it with the newest in turn, not both with the
// one before.
func (t *handoffTx) SaveRoster(ctx context.Context, row store.RosterRow) (int64, error) {
	if _, err := exec(ctx, t.tx, "lock the rosters", `LOCK TABLE rosters IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return 0, err
	}
	stored, err := collect(ctx, t.tx, "save a roster", pgx.RowTo[int64], `
		INSERT INTO rosters (version, hash, document, at, actor)
		SELECT coalesce(max(version), 0) + 1, $1, $2, $3, $4 FROM rosters
		HAVING (SELECT hash FROM rosters ORDER BY version DESC LIMIT 1) IS DISTINCT FROM $1
		RETURNING version`, row.Hash, filled(row.Text), micros(row.At), row.Actor)
	if err != nil || len(stored) == 0 {
		return 0, err
	}
	return stored[0], nil
}

func (h *handoff) LatestRoster(ctx context.Context) (store.RosterRow, error) {
	return one(ctx, h.pool, "read the roster", scanRoster, rosterQuery+`ORDER BY version DESC LIMIT 1`)
}

func (h *handoff) Roster(ctx context.Context, version int64) (store.RosterRow, error) {
	return one(ctx, h.pool, "read a roster", scanRoster, rosterQuery+`WHERE version = $1`, version)
}

func (h *handoff) ListRosters(ctx context.Context, limit int) ([]store.RosterRow, error) {
	return collect(ctx, h.pool, "list the rosters", scanRoster,
		`SELECT version, hash, ''::bytea, at, actor FROM rosters ORDER BY version DESC LIMIT $1`, max(limit, 0))
}
