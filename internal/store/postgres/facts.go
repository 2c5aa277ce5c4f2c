package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

func (s *scoring) HasFacts(ctx context.Context, keys []store.FactKey) (map[store.FactKey]bool, error) {
	found, err := collect(ctx, s.pool, "look for facts", scanFactKey, `
		SELECT f.source, f.id FROM facts f JOIN unnest($1::text[], $2::text[]) AS asked (source, id) USING (source, id)
		UNION ALL
		SELECT q.source, q.event_id FROM quarantine q JOIN unnest($1::text[], $2::text[]) AS asked (source, event_id) USING (source, event_id)`,
		column(keys, sourceOf), column(keys, idOf))
	return keySet(found), err
}

func (t *scoringTx) InsertFacts(ctx context.Context, rows []store.FactRow) ([]bool, error) {
	key := func(r store.FactRow) store.FactKey { return r.FactKey }
	sorted := distinct(rows, key, compareFactKeys)
	inserted, err := collect(ctx, t.tx, "insert facts", scanFactKey, `
		INSERT INTO facts (source, id, lead, occurred_at, recorded_at, content_hash, data)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[])
		ON CONFLICT (source, id) DO NOTHING RETURNING source, id`,
		column(sorted, func(r store.FactRow) string { return r.Source }),
		column(sorted, func(r store.FactRow) string { return r.ID }),
		column(sorted, func(r store.FactRow) string { return r.Lead }),
		column(sorted, func(r store.FactRow) int64 { return micros(r.OccurredAt) }),
		column(sorted, func(r store.FactRow) int64 { return micros(r.RecordedAt) }),
		column(sorted, func(r store.FactRow) []byte { return filled(r.ContentHash) }),
		column(sorted, func(r store.FactRow) []byte { return filled(r.Data) }))
	if err != nil {
		return nil, err
	}
	return among(rows, key, inserted), nil
}

func (t *scoringTx) FactHashes(ctx context.Context, keys []store.FactKey) (map[store.FactKey][]byte, error) {
	found, err := collect(ctx, t.tx, "read hashes of facts", func(row pgx.CollectableRow) (f store.FactRow, err error) {
		return f, row.Scan(&f.Source, &f.ID, &f.ContentHash)
	}, `SELECT f.source, f.id, f.content_hash FROM facts f JOIN unnest($1::text[], $2::text[]) AS asked (source, id) USING (source, id)`,
		column(keys, sourceOf), column(keys, idOf))
	hashes := make(map[store.FactKey][]byte, len(keys))
	for _, f := range found {
		hashes[f.FactKey] = f.ContentHash
	}
	return hashes, err
}

func (t *scoringTx) Facts(ctx context.Context, leads []string) (map[string][]store.FactRow, error) {
	return factsOf(ctx, t.tx, leads)
}

func factsOf(ctx context.Context, q querier, leads []string) (map[string][]store.FactRow, error) {
	rows, err := collect(ctx, q, "read facts", func(row pgx.CollectableRow) (f store.FactRow, err error) {
		return f, row.Scan(&f.Source, &f.ID, &f.Lead, instant{&f.OccurredAt}, instant{&f.RecordedAt}, &f.ContentHash, &f.Data)
	}, `SELECT source, id, lead, occurred_at, recorded_at, content_hash, data FROM facts WHERE lead = ANY ($1) ORDER BY lead, source, id`,
		leads)
	facts := make(map[string][]store.FactRow, len(leads))
	for _, f := range rows {
		facts[f.Lead] = append(facts[f.Lead], f)
	}
	return facts, err
}

func sourceOf(k store.FactKey) string { return k.Source }
func idOf(k store.FactKey) string     { return k.ID }

func compareFactKeys(a, b store.FactKey) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
}

func scanFactKey(row pgx.CollectableRow) (k store.FactKey, err error) {
	return k, row.Scan(&k.Source, &k.ID)
}

func keySet(keys []store.FactKey) map[store.FactKey]bool {
	set := make(map[store.FactKey]bool, len(keys))
	for _, k := range keys {
		set[k] = true
	}
	return set
}
