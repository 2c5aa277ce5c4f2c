package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// SaveRoster holds the table's lock: two replicas that start with one roster compare it with the newest in turn, not both with the
// one before.
func (h *handoff) SaveRoster(ctx context.Context, row store.RosterRow) (stored bool, err error) {
	err = h.update(ctx, func(ctx context.Context, tx *transaction) error {
		if _, err := exec(ctx, tx, "lock the rosters", `LOCK TABLE rosters IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		n, err := exec(ctx, tx, "save a roster", `
			INSERT INTO rosters (version, hash, document, at, actor)
			SELECT coalesce(max(version), 0) + 1, $1, $2, $3, $4 FROM rosters
			HAVING (SELECT hash FROM rosters ORDER BY version DESC LIMIT 1) IS DISTINCT FROM $1`,
			row.Hash, filled(row.Text), micros(row.At), row.Actor)
		stored = n == 1
		return err
	})
	return stored && err == nil, err
}

func (h *handoff) LatestRoster(ctx context.Context) (store.RosterRow, error) {
	return one(ctx, h.pool, "read the roster", func(row pgx.CollectableRow) (r store.RosterRow, err error) {
		return r, row.Scan(&r.Version, &r.Hash, &r.Text, instant{&r.At}, &r.Actor)
	}, `SELECT version, hash, document, at, actor FROM rosters ORDER BY version DESC LIMIT 1`)
}
