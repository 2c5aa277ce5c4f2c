package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const rosterQuery = `SELECT version, hash, document, at, actor FROM rosters ORDER BY version DESC LIMIT 1`

func rosterFields(r *store.RosterRow) []any {
	return []any{&r.Version, &r.Hash, &r.Text, at(&r.At), &r.Actor}
}

// SaveRoster stores a roster unless the newest one is the same.
func (h handoff) SaveRoster(ctx context.Context, row store.RosterRow) (stored bool, err error) {
	err = h.update(ctx, func(ctx context.Context, t *tx) error {
		newest, err := collect(ctx, t, "save a roster", rosterFields, rosterQuery)
		if err != nil {
			return err
		}
		if stored = len(newest) == 0 || newest[0].Hash != row.Hash; !stored {
			return nil
		}
		_, err = t.exec(ctx, "save a roster", `INSERT INTO rosters (hash, document, at, actor) VALUES (?, ?, ?, ?)`,
			row.Hash, blob(row.Text), micros(row.At), row.Actor)
		return err
	})
	return stored && err == nil, err
}

// LatestRoster returns the newest version.
func (h handoff) LatestRoster(ctx context.Context) (store.RosterRow, error) {
	return one(ctx, h.read, "read the roster", rosterFields, rosterQuery)
}
