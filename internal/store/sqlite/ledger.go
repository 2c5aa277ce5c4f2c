package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/leadpact/leadpact/internal/store"
)

const entryColumns = `shard, seq, source, event_id, type, lead, occurred_at, recorded_at, history, data, hash`

func entryFields(e *store.Entry) []any {
	return []any{&e.Shard, &e.Seq, &e.Source, &e.EventID, &e.Type, &e.Lead, at(&e.OccurredAt), at(&e.RecordedAt), &e.History, &e.Data, &e.Hash}
}

func headFields(h *store.Head) []any { return []any{&h.Shard, &h.Seq, &h.Hash} }

// Entries returns entries of a shard.
func (c compliance) Entries(ctx context.Context, shard int, after int64, typ string, limit int) ([]store.Entry, error) {
	const op = "read the ledger"
	if typ == "" {
		return collect(ctx, c.read, op, entryFields,
			`SELECT `+entryColumns+` FROM entries WHERE shard = ? AND seq > ? ORDER BY seq LIMIT ?`, shard, after, limit)
	}
	return collect(ctx, c.read, op, entryFields,
		`SELECT `+entryColumns+` FROM entries WHERE shard = ? AND type = ? AND seq > ? ORDER BY seq LIMIT ?`, shard, typ, after, limit)
}

// Heads returns the head of every shard.
func (c compliance) Heads(ctx context.Context) ([]store.Head, error) {
	return collect(ctx, c.read, "read heads", headFields, `SELECT shard, seq, hash FROM heads ORDER BY shard`)
}

// LockShards returns the heads, made when missing. The transaction is the only writer: that is the lock.
func (t complianceTx) LockShards(ctx context.Context, shards []int) ([]store.Head, error) {
	const op = "lock shards"
	shards = sorted(shards)
	stored, err := collect(ctx, t, op, headFields, `SELECT shard, seq, hash FROM heads ORDER BY shard`) // there are few
	if err != nil {
		return nil, err
	}
	heads := make([]store.Head, len(shards))
	for i, shard := range shards {
		heads[i].Shard = shard
		if at, there := slices.BinarySearchFunc(stored, shard, func(h store.Head, shard int) int { return cmp.Compare(h.Shard, shard) }); there {
			heads[i] = stored[at]
			continue
		}
		if _, err := t.exec(ctx, op, `INSERT INTO heads (shard) VALUES (?)`, shard); err != nil {
			return nil, err
		}
	}
	return heads, nil
}

// SaveHeads writes heads that LockShards returned.
func (t complianceTx) SaveHeads(ctx context.Context, heads []store.Head) error {
	for _, h := range heads {
		if _, err := t.exec(ctx, "save heads", `UPDATE heads SET seq = ?, hash = ? WHERE shard = ?`, h.Seq, blob(h.Hash), h.Shard); err != nil {
			return err
		}
	}
	return nil
}

// Known says which events are in the ledger.
func (t complianceTx) Known(ctx context.Context, keys []store.FactKey) (map[store.FactKey]bool, error) {
	ids := make(map[string][]string) // by source, of which there are few
	for _, k := range keys {
		ids[k.Source] = append(ids[k.Source], k.ID)
	}
	known := make(map[store.FactKey]bool)
	for source, of := range ids {
		found, err := among(ctx, t, "look in the ledger", column[string], `SELECT event_id FROM entries WHERE source = ? AND event_id IN `+given, of, source)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			known[store.FactKey{Source: source, ID: id}] = true
		}
	}
	return known, nil
}

// Append stores entries.
func (t complianceTx) Append(ctx context.Context, entries []store.Entry) error {
	for _, e := range entries {
		_, err := t.exec(ctx, "append to the ledger", `INSERT INTO entries (`+entryColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.Shard, e.Seq, e.Source, e.EventID, e.Type, e.Lead, micros(e.OccurredAt), micros(e.RecordedAt), e.History, blob(e.Data), blob(e.Hash))
		if err != nil {
			return err
		}
	}
	return nil
}
