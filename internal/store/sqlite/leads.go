package sqlite

import (
	"context"
	"errors"

	"github.com/leadpact/leadpact/internal/store"
)

const leadColumns = `id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at`

func leadFields(l *store.Lead) []any {
	return []any{&l.ID, &l.Version, &l.Stage, &l.Cycle, &l.Staged, at(&l.StagedAt), &l.Agreement, &l.Knowledge, &l.Facts, at(&l.UpdatedAt)}
}

// Lead returns one lead. One that was locked and never saved is none yet.
func (s scoring) Lead(ctx context.Context, id string) (store.Lead, error) {
	return one(ctx, s.read, "read a lead", leadFields, `SELECT `+leadColumns+` FROM leads WHERE id = ? AND version > 0`, id)
}

// LockLeads returns the leads, made when missing. The transaction is the only writer: that is the lock.
func (t scoringTx) LockLeads(ctx context.Context, ids []string) ([]store.Lead, error) {
	const op = "lock leads"
	var leads []store.Lead
	for _, id := range sorted(ids) {
		l, err := lockLead(ctx, t, id)
		if errors.Is(err, store.ErrNotFound) {
			if _, err := t.exec(ctx, op, `INSERT INTO leads (id) VALUES (?)`, id); err != nil {
				return nil, err
			}
			l, err = lockLead(ctx, t, id)
		}
		if err != nil {
			return nil, err
		}
		leads = append(leads, l)
	}
	return leads, nil
}

func lockLead(ctx context.Context, t scoringTx, id string) (store.Lead, error) {
	return one(ctx, t, "lock leads", leadFields, `SELECT `+leadColumns+` FROM leads WHERE id = ?`, id)
}

// SaveLeads writes leads in their next version.
func (t scoringTx) SaveLeads(ctx context.Context, leads []store.Lead) error {
	for _, l := range leads {
		err := t.execOne(ctx, "save lead", l.ID,
			`UPDATE leads SET version = ?, stage = ?, cycle = ?, staged = ?, staged_at = ?, agreement = ?, knowledge = ?, facts = ?, updated_at = ?
			WHERE id = ? AND version = ?`,
			l.Version, l.Stage, l.Cycle, l.Staged, micros(l.StagedAt), l.Agreement, blob(l.Knowledge), l.Facts, micros(l.UpdatedAt),
			l.ID, l.Version-1)
		if err != nil {
			return err
		}
	}
	return nil
}
