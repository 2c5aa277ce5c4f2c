package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const rosterQuery = `SELECT version, hash, document, at, actor FROM rosters `

func rosterFields(r *store.RosterRow) []any {
	return []any{&r.Version, &r.Hash, &r.Text, at(&r.At), &r.Actor}
}

// SaveRoster stores a roster unless the newest one is the same.
func (t handoffTx) SaveRoster(ctx context.Context, row store.RosterRow) (int64, error) {
	const op = "save a roster"
	newest, err := collect(ctx, t, op, rosterFields, rosterQuery+`ORDER BY version DESC LIMIT 1`)
	if err != nil || len(newest) > 0 && newest[0].Hash == row.Hash {
		return 0, err
	}
	if _, err = t.exec(ctx, op, `INSERT INTO rosters (hash, document, at, actor) VALUES (?, ?, ?, ?)`,
		row.Hash, blob(row.Text), micros(row.At), row.Actor); err != nil {
		return 0, err
	}
	return one(ctx, t, op, column[int64], `SELECT max(version) FROM rosters`)
}

// LatestRoster returns the newest version.
func (h handoff) LatestRoster(ctx context.Context) (store.RosterRow, error) {
	return one(ctx, h.read, "read the roster", rosterFields, rosterQuery+`ORDER BY version DESC LIMIT 1`)
}

// Roster returns a version.
func (h handoff) Roster(ctx context.Context, version int64) (store.RosterRow, error) {
	return one(ctx, h.read, "read a roster", rosterFields, rosterQuery+`WHERE version = ?`, version)
}

// ListRosters returns versions without their texts, the newest first.
func (h handoff) ListRosters(ctx context.Context, limit int) ([]store.RosterRow, error) {
	return collect(ctx, h.read, "list the rosters", rosterFields,
		`SELECT version, hash, x'', at, actor FROM rosters ORDER BY version DESC LIMIT ?`, max(limit, 0))
}
