package postgres

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const handoffColumns = `lead, cycle, version, state, result, pool, grade, channel, stage, agreement, history, assignments, excluded,
	received_at, started_at, waiting_since, contact, cause`

// handoffArrays are the columns as parameters, in handoffColumns' order; see handoffArguments.
const handoffArrays = `unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
	$10::text[], $11::boolean[], $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[], $18::text[])`

func (h *handoff) HandoffOf(ctx context.Context, lead string) (store.HandoffRow, error) {
	return one(ctx, h.pool, "read a handoff", scanHandoff,
		`SELECT `+handoffColumns+` FROM handoffs WHERE lead = $1 ORDER BY cycle DESC LIMIT 1`, lead)
}

func (h *handoff) WaitingHandoffs(ctx context.Context, limit int) ([]store.HandoffKey, error) {
	return collect(ctx, h.pool, "read waiting handoffs", scanHandoffKey,
		`SELECT lead, cycle FROM handoffs WHERE state = 'waiting' ORDER BY waiting_since, lead, cycle LIMIT $1`, max(limit, 0))
}

func (t *handoffTx) InsertHandoffs(ctx context.Context, rows []store.HandoffRow) ([]bool, error) {
	key := func(r store.HandoffRow) store.HandoffKey { return r.HandoffKey }
	arguments, err := handoffArguments(distinct(rows, key, compareHandoffKeys))
	if err != nil {
		return nil, err
	}
	inserted, err := collect(ctx, t.tx, "insert handoffs", scanHandoffKey, `
		INSERT INTO handoffs (`+handoffColumns+`) SELECT * FROM `+handoffArrays+`
		ON CONFLICT (lead, cycle) DO NOTHING RETURNING lead, cycle`, arguments...)
	if err != nil {
		return nil, err
	}
	return among(rows, key, inserted), nil
}

// LockHandoffs asks twice. The first waits for whoever holds the rows; the second begins after the wait and sees what they
// committed, which may be a newer handoff of the lead.
func (t *handoffTx) LockHandoffs(ctx context.Context, leads []string) ([]store.HandoffRow, error) {
	const newest = `SELECT ` + handoffColumns + ` FROM handoffs
		WHERE (lead, cycle) IN (SELECT lead, max(cycle) FROM handoffs WHERE lead = ANY ($1) GROUP BY lead) ORDER BY lead FOR UPDATE`
	var locked []store.HandoffRow
	batch := &pgx.Batch{}
	batch.Queue(newest, leads)
	batch.Queue(newest, leads).Query(func(rows pgx.Rows) (err error) {
		locked, err = pgx.CollectRows(rows, scanHandoff)
		return err
	})
	err := t.tx.SendBatch(ctx, batch).Close()
	return locked, kept(t.tx, failed("lock handoffs", err))
}

func (t *handoffTx) SaveHandoffs(ctx context.Context, rows []store.HandoffRow) error {
	arguments, err := handoffArguments(rows)
	if err != nil {
		return err
	}
	return save(ctx, t.tx, "save handoffs", len(rows), `
		UPDATE handoffs h SET version = new.version, state = new.state, result = new.result, pool = new.pool, grade = new.grade,
			channel = new.channel, stage = new.stage, agreement = new.agreement, history = new.history, assignments = new.assignments,
			excluded = new.excluded, received_at = new.received_at, started_at = new.started_at, waiting_since = new.waiting_since,
			contact = new.contact, cause = new.cause
		FROM `+handoffArrays+` AS new (`+handoffColumns+`)
		WHERE h.lead = new.lead AND h.cycle = new.cycle AND h.version = new.version - 1`, arguments...)
}

// handoffsOf reads handoffs by key.
func handoffsOf(ctx context.Context, q querier, keys []store.HandoffKey) (map[store.HandoffKey]store.HandoffRow, error) {
	rows, err := collect(ctx, q, "read handoffs", scanHandoff, `
		SELECT `+handoffColumns+` FROM handoffs WHERE (lead, cycle) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))`,
		column(keys, leadOf), column(keys, cycleOf))
	handoffs := make(map[store.HandoffKey]store.HandoffRow, len(rows))
	for _, r := range rows {
		handoffs[r.HandoffKey] = r
	}
	return handoffs, err
}

// handoffArguments turns rows into arrays in handoffColumns' order.
func handoffArguments(rows []store.HandoffRow) ([]any, error) {
	excluded := make([]string, len(rows))
	for i, r := range rows {
		reps, err := json.Marshal(r.Excluded)
		if err != nil {
			return nil, failed("write the excluded reps", err)
		}
		excluded[i] = string(reps)
	}
	return []any{
		column(rows, func(r store.HandoffRow) string { return r.Lead }),
		column(rows, func(r store.HandoffRow) int64 { return int64(r.Cycle) }),
		column(rows, func(r store.HandoffRow) int64 { return r.Version }),
		column(rows, func(r store.HandoffRow) string { return r.State }),
		column(rows, func(r store.HandoffRow) string { return r.Result }),
		column(rows, func(r store.HandoffRow) string { return r.Pool }),
		column(rows, func(r store.HandoffRow) string { return r.Grade }),
		column(rows, func(r store.HandoffRow) string { return r.Channel }),
		column(rows, func(r store.HandoffRow) string { return r.Stage }),
		column(rows, func(r store.HandoffRow) string { return r.Agreement }),
		column(rows, func(r store.HandoffRow) bool { return r.History }),
		column(rows, func(r store.HandoffRow) int64 { return int64(r.Assignments) }),
		excluded,
		column(rows, func(r store.HandoffRow) int64 { return micros(r.ReceivedAt) }),
		column(rows, func(r store.HandoffRow) int64 { return micros(r.StartedAt) }),
		column(rows, func(r store.HandoffRow) int64 { return micros(r.WaitingSince) }),
		column(rows, func(r store.HandoffRow) []byte { return filled(r.Contact) }),
		column(rows, func(r store.HandoffRow) string { return r.Cause }),
	}, nil
}

func scanHandoff(row pgx.CollectableRow) (h store.HandoffRow, err error) {
	var excluded string
	if err := row.Scan(&h.Lead, &h.Cycle, &h.Version, &h.State, &h.Result, &h.Pool, &h.Grade, &h.Channel, &h.Stage, &h.Agreement,
		&h.History, &h.Assignments, &excluded, instant{&h.ReceivedAt}, instant{&h.StartedAt}, instant{&h.WaitingSince}, &h.Contact,
		&h.Cause); err != nil {
		return h, err
	}
	return h, json.Unmarshal([]byte(excluded), &h.Excluded)
}

func leadOf(k store.HandoffKey) string { return k.Lead }
func cycleOf(k store.HandoffKey) int64 { return int64(k.Cycle) }

func compareHandoffKeys(a, b store.HandoffKey) int {
	return cmp.Or(cmp.Compare(a.Lead, b.Lead), cmp.Compare(a.Cycle, b.Cycle))
}

func scanHandoffKey(row pgx.CollectableRow) (k store.HandoffKey, err error) {
	return k, row.Scan(&k.Lead, &k.Cycle)
}
