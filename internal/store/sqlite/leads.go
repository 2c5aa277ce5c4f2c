package sqlite

import (
	"context"
	"fmt"

	"github.com/leadpact/leadpact/internal/store"
)

const leadColumns = `id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at`

func leadFields(l *store.Lead) []any {
	return []any{&l.ID, &l.Version, &l.Stage, &l.Cycle, &l.Staged, at(&l.StagedAt), &l.Agreement, &l.Knowledge, &l.Facts, at(&l.UpdatedAt)}
}

// Lead returns one lead.
func (s scoring) Lead(ctx context.Context, id string) (store.Lead, error) {
	return one(ctx, s.read, "read a lead", leadFields, `SELECT `+leadColumns+` FROM leads WHERE id = ?`, id)
}

// LeadsAfter returns leads in order of id.
func (s scoring) LeadsAfter(ctx context.Context, id string, limit int) ([]store.Lead, error) {
	return collect(ctx, s.read, "read leads", leadFields, `SELECT `+leadColumns+` FROM leads WHERE id > ? ORDER BY id LIMIT ?`, id, limit)
}

// LockLeads returns the leads, made when missing, though not stored before they are saved. The transaction is the only writer: that
// is the lock.
func (t scoringTx) LockLeads(ctx context.Context, ids []string) ([]store.Lead, error) {
	const op = "lock leads"
	ids = sorted(ids)
	stored, err := among(ctx, t, op, leadFields, `SELECT `+leadColumns+` FROM leads WHERE id IN `+given+` ORDER BY id`, ids)
	if err != nil {
		return nil, err
	}
	leads := make([]store.Lead, len(ids))
	for i, id := range ids {
		if len(stored) > 0 && stored[0].ID == id {
			leads[i], stored = stored[0], stored[1:]
			continue
		}
		leads[i] = store.Lead{ID: id}
		t.made[id] = true
	}
	return leads, nil
}

// SaveLeads writes leads in their next version.
func (t scoringTx) SaveLeads(ctx context.Context, leads []store.Lead) error {
	for _, l := range leads {
		if l.Version == 1 && !t.made[l.ID] {
			return t.fail(fmt.Errorf("sqlite: save lead %s: it was not locked: %w", l.ID, store.ErrConflict))
		}
		values := []any{l.Version, l.Stage, l.Cycle, l.Staged, micros(l.StagedAt), l.Agreement, blob(l.Knowledge), l.Facts, micros(l.UpdatedAt), l.ID}
		statement := `INSERT INTO leads (version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at, id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
		if l.Version > 1 {
			values = append(values, l.Version-1)
			statement = `UPDATE leads SET version = ?, stage = ?, cycle = ?, staged = ?, staged_at = ?, agreement = ?, knowledge = ?, facts = ?,
				updated_at = ? WHERE id = ? AND version = ?`
		}
		if err := t.execOne(ctx, "save lead", l.ID, statement, values...); err != nil {
			return err
		}
	}
	return nil
}
