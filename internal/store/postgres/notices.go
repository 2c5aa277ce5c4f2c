package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const noticeColumns = `key, endpoint, type, lead, cycle, assignment, clock, rep, created_at, state, attempts, next_at, last_error`

const insertNotices = `
	INSERT INTO notices (` + noticeColumns + `)
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bigint[],
		$10::text[], $11::bigint[], $12::bigint[], $13::text[])
	ON CONFLICT (key) DO NOTHING`

func (t *handoffTx) InsertNotices(ctx context.Context, rows []store.Notice) error {
	_, err := exec(ctx, t.tx, "insert notices", insertNotices, noticeArguments(rows)...)
	return err
}

// noticeArguments turns rows into arrays in noticeColumns' order.
func noticeArguments(rows []store.Notice) []any {
	sorted := distinct(rows, noticeKey, cmp.Compare[string])
	return []any{
		column(sorted, noticeKey),
		column(sorted, func(r store.Notice) string { return r.Endpoint }),
		column(sorted, func(r store.Notice) string { return r.Type }),
		column(sorted, func(r store.Notice) string { return r.Lead }),
		column(sorted, func(r store.Notice) int64 { return int64(r.Cycle) }),
		column(sorted, func(r store.Notice) string { return r.Assignment }),
		column(sorted, func(r store.Notice) string { return r.Clock }),
		column(sorted, func(r store.Notice) string { return r.Rep }),
		column(sorted, func(r store.Notice) int64 { return micros(r.CreatedAt) }),
		column(sorted, func(r store.Notice) string { return r.State }),
		column(sorted, func(r store.Notice) int64 { return int64(r.Attempts) }),
		column(sorted, func(r store.Notice) int64 { return micros(r.NextAt) }),
		column(sorted, func(r store.Notice) string { return r.LastError }),
	}
}

// DueNotices passes over what another claimant holds at this moment; what it claims stays hidden by its new NextAt.
func (h *handoff) DueNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Notice, error) {
	type claimed struct {
		store.Notice
		due time.Time
	}
	rows, err := collect(ctx, h.pool, "claim notices", func(row pgx.CollectableRow) (c claimed, err error) {
		return c, row.Scan(append(noticeFields(&c.Notice), instant{&c.due})...)
	}, `
		WITH due AS (
			SELECT key AS due_key, next_at AS due_at FROM notices WHERE state = 'pending' AND next_at <= $1
			ORDER BY next_at, key LIMIT $3 FOR UPDATE SKIP LOCKED)
		UPDATE notices SET next_at = $2 FROM due WHERE key = due_key
		RETURNING `+noticeColumns+`, due_at`, micros(now), micros(now.Add(lease)), max(limit, 0))
	// An update returns its rows in any order.
	slices.SortFunc(rows, func(a, b claimed) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.Key, b.Key)) })
	return column(rows, func(c claimed) store.Notice { return c.Notice }), err
}

func (h *handoff) SaveNotices(ctx context.Context, rows []store.Notice) error {
	_, err := exec(ctx, h.pool, "save notices", `
		UPDATE notices n SET state = new.state, attempts = new.attempts, next_at = new.next_at, last_error = new.last_error
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) AS new (key, state, attempts, next_at, last_error)
		WHERE n.key = new.key`,
		column(rows, noticeKey),
		column(rows, func(r store.Notice) string { return r.State }),
		column(rows, func(r store.Notice) int64 { return int64(r.Attempts) }),
		column(rows, func(r store.Notice) int64 { return micros(r.NextAt) }),
		column(rows, func(r store.Notice) string { return legible(r.LastError) }))
	return err
}

func noticeKey(n store.Notice) string { return n.Key }

// noticeFields are the places of noticeColumns.
func noticeFields(n *store.Notice) []any {
	return []any{&n.Key, &n.Endpoint, &n.Type, &n.Lead, &n.Cycle, &n.Assignment, &n.Clock, &n.Rep, instant{&n.CreatedAt}, &n.State,
		&n.Attempts, instant{&n.NextAt}, &n.LastError}
}
