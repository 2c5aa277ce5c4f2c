package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const leadColumns = `id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at`

func (s *scoring) Lead(ctx context.Context, id string) (store.Lead, error) {
	return one(ctx, s.pool, "read a lead", scanLead, `SELECT `+leadColumns+` FROM leads WHERE id = $1 AND version > 0`, id)
}

func (s *scoring) LeadsAfter(ctx context.Context, id string, limit int) ([]store.Lead, error) {
	return collect(ctx, s.pool, "read leads", scanLead,
		`SELECT `+leadColumns+` FROM leads WHERE id > $1 AND version > 0 ORDER BY id LIMIT $2`, id, limit)
}

// LockLeads locks those that are there and makes the missing ones, both in order of id: a transaction that waits for a row another
// is making holds only rows that were there and smaller new ones. Who finds that a missing row was made meanwhile begins again,
// for locking it now would be out of order.
func (t *scoringTx) LockLeads(ctx context.Context, ids []string) ([]store.Lead, error) {
	sorted := sortedSet(ids)
	leads, err := collect(ctx, t.tx, "lock leads", scanLead, `SELECT `+leadColumns+` FROM leads WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, sorted)
	if err != nil || len(leads) == len(sorted) {
		return leads, err
	}
	there := make(map[string]bool, len(leads))
	for _, l := range leads {
		there[l.ID] = true
	}
	missing := make([]string, 0, len(sorted)-len(leads))
	for _, id := range sorted {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	made, err := collect(ctx, t.tx, "make leads", scanLead,
		`INSERT INTO leads (id) SELECT * FROM unnest($1::text[]) ON CONFLICT (id) DO NOTHING RETURNING `+leadColumns, missing)
	if err == nil && len(made) < len(missing) {
		err = kept(t.tx, fmt.Errorf("postgres: make leads: %d of %d were made by another: %w", len(missing)-len(made), len(missing), store.ErrConflict))
	}
	if err != nil {
		return nil, err
	}
	leads = append(leads, made...)
	slices.SortFunc(leads, func(a, b store.Lead) int { return cmp.Compare(a.ID, b.ID) })
	return leads, nil
}

func (t *scoringTx) SaveLeads(ctx context.Context, leads []store.Lead) error {
	return save(ctx, t.tx, "save leads", len(leads), `
		UPDATE leads SET version = new.version, stage = new.stage, cycle = new.cycle, staged = new.staged, staged_at = new.staged_at,
			agreement = new.agreement, knowledge = new.knowledge, facts = new.facts, updated_at = new.updated_at
		FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[], $9::bigint[],
			$10::bigint[]) AS new (`+leadColumns+`)
		WHERE leads.id = new.id AND leads.version = new.version - 1`,
		column(leads, func(l store.Lead) string { return l.ID }),
		column(leads, func(l store.Lead) int64 { return l.Version }),
		column(leads, func(l store.Lead) string { return l.Stage }),
		column(leads, func(l store.Lead) int64 { return int64(l.Cycle) }),
		column(leads, func(l store.Lead) int64 { return int64(l.Staged) }),
		column(leads, func(l store.Lead) int64 { return micros(l.StagedAt) }),
		column(leads, func(l store.Lead) string { return l.Agreement }),
		column(leads, func(l store.Lead) []byte { return filled(l.Knowledge) }),
		column(leads, func(l store.Lead) int64 { return l.Facts }),
		column(leads, func(l store.Lead) int64 { return micros(l.UpdatedAt) }))
}

func scanLead(row pgx.CollectableRow) (l store.Lead, err error) {
	return l, row.Scan(&l.ID, &l.Version, &l.Stage, &l.Cycle, &l.Staged, instant{&l.StagedAt}, &l.Agreement, &l.Knowledge, &l.Facts,
		instant{&l.UpdatedAt})
}
