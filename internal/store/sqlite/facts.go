package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const factColumns = `source, id, lead, occurred_at, recorded_at, content_hash, data`

func factFields(f *store.FactRow) []any {
	return []any{&f.Source, &f.ID, &f.Lead, at(&f.OccurredAt), at(&f.RecordedAt), &f.ContentHash, &f.Data}
}

func factsOf(ctx context.Context, q queryer, lead string) ([]store.FactRow, error) {
	return collect(ctx, q, "read facts", factFields, `SELECT `+factColumns+` FROM facts WHERE lead = ? ORDER BY source, id`, lead)
}

// HasFacts says which facts are stored or in quarantine.
func (s scoring) HasFacts(ctx context.Context, keys []store.FactKey) (map[store.FactKey]bool, error) {
	const op = "look for facts"
	has := make(map[store.FactKey]bool, len(keys))
	err := s.snapshot(ctx, op, func(q queryer) error {
		for _, k := range keys {
			found, err := one(ctx, q, op, column[bool],
				`SELECT EXISTS (SELECT 1 FROM facts WHERE source = ?1 AND id = ?2)
					OR EXISTS (SELECT 1 FROM quarantine WHERE source = ?1 AND event_id = ?2)`, k.Source, k.ID)
			if err != nil {
				return err
			}
			if found {
				has[k] = true
			}
		}
		return nil
	})
	return has, err
}

// InsertFacts stores those that are new.
func (t scoringTx) InsertFacts(ctx context.Context, rows []store.FactRow) ([]bool, error) {
	fresh := make([]bool, len(rows))
	for i, f := range rows {
		n, err := t.exec(ctx, "insert facts",
			`INSERT INTO facts (`+factColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING`,
			f.Source, f.ID, f.Lead, micros(f.OccurredAt), micros(f.RecordedAt), blob(f.ContentHash), blob(f.Data))
		if err != nil {
			return nil, err
		}
		fresh[i] = n == 1
	}
	return fresh, nil
}

// FactHashes returns the content hash of each fact that is stored.
func (t scoringTx) FactHashes(ctx context.Context, keys []store.FactKey) (map[store.FactKey][]byte, error) {
	hashes := make(map[store.FactKey][]byte, len(keys))
	for _, k := range keys {
		found, err := collect(ctx, t, "read hashes of facts", column[[]byte],
			`SELECT content_hash FROM facts WHERE source = ? AND id = ?`, k.Source, k.ID)
		if err != nil {
			return nil, err
		}
		for _, hash := range found {
			hashes[k] = hash
		}
	}
	return hashes, nil
}

// Facts returns all facts of the leads.
func (t scoringTx) Facts(ctx context.Context, leads []string) (map[string][]store.FactRow, error) {
	facts := make(map[string][]store.FactRow, len(leads))
	for _, lead := range leads {
		rows, err := factsOf(ctx, t, lead)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			facts[lead] = rows
		}
	}
	return facts, nil
}
