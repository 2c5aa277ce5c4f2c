package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leadpact/leadpact/internal/store"
)

const clockColumns = `id, lead, cycle, shard, assignment, rep, team, name, version, state, started_at, due_at, wake_at, within, calendar,
	tzdata, counted, needed, warned, stopped_at, agreement, responded_at, witness`

// clockArrays are the columns as parameters, in clockColumns' order; see clockArguments.
const clockArrays = `unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
	$10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::bigint[], $18::bigint[],
	$19::bigint[], $20::bigint[], $21::text[], $22::bigint[], $23::text[])`

func (h *handoff) WakesUntil(ctx context.Context, shard int, until time.Time, after store.Wake, limit int) ([]store.Wake, error) {
	return collect(ctx, h.pool, "read wake-ups", func(row pgx.CollectableRow) (w store.Wake, err error) {
		return w, row.Scan(instant{&w.At}, &w.ID)
	}, `SELECT wake_at, id FROM clocks
		WHERE shard = $1 AND state = 'open' AND wake_at < $2 AND (wake_at, id) > ($3, $4) ORDER BY wake_at, id LIMIT $5`,
		shard, micros(until), micros(after.At), after.ID, max(limit, 0))
}

func (h *handoff) OverdueClocks(ctx context.Context, t time.Time) (count int, err error) {
	err = h.pool.QueryRow(ctx, `SELECT count(*) FROM clocks WHERE state = 'open' AND due_at < $1`, micros(t)).Scan(&count)
	return count, failed("count overdue clocks", err)
}

func (t *handoffTx) InsertClocks(ctx context.Context, rows []store.ClockRow) error {
	_, err := exec(ctx, t.tx, "insert clocks", `INSERT INTO clocks (`+clockColumns+`) SELECT * FROM `+clockArrays, clockArguments(rows)...)
	return err
}

func (t *handoffTx) OpenClocks(ctx context.Context, keys []store.HandoffKey) ([]store.ClockRow, error) {
	return collect(ctx, t.tx, "read open clocks", scanClock, `
		SELECT `+clockColumns+` FROM clocks
		WHERE state = 'open' AND (lead, cycle) IN (SELECT * FROM unnest($1::text[], $2::bigint[])) ORDER BY due_at, id`,
		column(keys, leadOf), column(keys, cycleOf))
}

// Clocks locks in order of id and returns in order of due time: a due time can change while one waits for the lock, an id cannot.
func (t *handoffTx) Clocks(ctx context.Context, ids []string) ([]store.ClockRow, error) {
	clocks, err := collect(ctx, t.tx, "lock clocks", scanClock,
		`SELECT `+clockColumns+` FROM clocks WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, ids)
	slices.SortFunc(clocks, func(a, b store.ClockRow) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return clocks, err
}

// SaveClocks locks in order of id first, because an update locks in any order; then the update, begun after the wait, compares with
// what was committed last.
func (t *handoffTx) SaveClocks(ctx context.Context, rows []store.ClockRow) ([]bool, error) {
	type attempt struct {
		id      string
		version int64
	}
	key := func(c store.ClockRow) attempt { return attempt{c.ID, c.Version} }
	// At most one version of a clock can be the next, so each is written at most once.
	sorted := distinct(rows, key, func(a, b attempt) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.version, b.version)) })
	var won []attempt
	batch := &pgx.Batch{}
	batch.Queue(`SELECT FROM clocks WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, column(sorted, clockID))
	batch.Queue(`
		UPDATE clocks c SET lead = new.lead, cycle = new.cycle, shard = new.shard, assignment = new.assignment,
			rep = new.rep, team = new.team, name = new.name, version = new.version, state = new.state, started_at = new.started_at,
			due_at = new.due_at, wake_at = new.wake_at, within = new.within, calendar = new.calendar, tzdata = new.tzdata,
			counted = new.counted, needed = new.needed, warned = new.warned, stopped_at = new.stopped_at, agreement = new.agreement,
			responded_at = new.responded_at, witness = new.witness
		FROM `+clockArrays+` AS new (`+clockColumns+`)
		WHERE c.id = new.id AND c.state = 'open' AND c.version = new.version - 1
		RETURNING c.id, c.version`, clockArguments(sorted)...).Query(func(r pgx.Rows) (err error) {
		won, err = pgx.CollectRows(r, func(row pgx.CollectableRow) (a attempt, err error) { return a, row.Scan(&a.id, &a.version) })
		return err
	})
	if err := t.tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, kept(t.tx, failed("save clocks", err))
	}
	return among(rows, key, won), nil
}

// LockPromises locks in order of id, like Clocks; what is closed while one waits for its lock is not returned.
//
// It lets the transaction run by plans that are made once a connection: clocks fall due one by one, and to plan a statement for each
// takes longer than to run it. Such a plan may be made while the tables are empty and must be good when they are full. So it goes
// by the keys, and the state that is asked for is a parameter, which keeps the indexes of open clocks out of it.
func (t *handoffTx) LockPromises(ctx context.Context, ids []string) (promises []store.Promise, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`SET LOCAL plan_cache_mode = force_generic_plan`)
	batch.Queue(`SET LOCAL enable_seqscan = off`)
	batch.Queue(`SET LOCAL enable_hashjoin = off`)
	batch.Queue(`SET LOCAL enable_mergejoin = off`)
	batch.Queue(`
		SELECT `+promiseColumns+` FROM clocks c JOIN handoffs h ON h.lead = c.lead AND h.cycle = c.cycle
		WHERE c.id = ANY ($1) AND c.state = $2 ORDER BY c.id FOR UPDATE OF c`, ids, store.ClockOpen).Query(func(rows pgx.Rows) (err error) {
		promises, err = pgx.CollectRows(rows, scanPromise)
		return err
	})
	err = kept(t.tx, failed("lock promises", t.tx.SendBatch(ctx, batch).Close()))
	slices.SortFunc(promises, func(a, b store.Promise) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return promises, err
}

// promiseColumns are clockColumns and what the handoff adds.
const promiseColumns = `c.id, c.lead, c.cycle, c.shard, c.assignment, c.rep, c.team, c.name, c.version, c.state, c.started_at, c.due_at, c.wake_at,
	c.within, c.calendar, c.tzdata, c.counted, c.needed, c.warned, c.stopped_at, c.agreement, c.responded_at, c.witness,
	h.state, h.agreement, h.pool, h.grade, h.channel, h.cause`

func scanPromise(row pgx.CollectableRow) (p store.Promise, err error) {
	return p, row.Scan(append(clockFields(&p.ClockRow), &p.HandoffState, &p.HandoffAgreement, &p.Pool, &p.Grade, &p.Channel, &p.Cause)...)
}

func (t *handoffTx) MissedPromises(ctx context.Context, key store.HandoffKey) ([]store.Promise, error) {
	return collect(ctx, t.tx, "read missed promises", scanPromise, `
		SELECT `+promiseColumns+` FROM clocks c JOIN handoffs h ON h.lead = c.lead AND h.cycle = c.cycle
		WHERE c.lead = $1 AND c.cycle = $2 AND c.state = 'breached' AND c.responded_at = $3 ORDER BY c.due_at, c.id`,
		key.Lead, key.Cycle, micros(time.Time{}))
}

func (t *handoffTx) CorrectClocks(ctx context.Context, rows []store.ClockRow) error {
	return save(ctx, t.tx, "correct clocks", len(rows), `
		UPDATE clocks c SET version = new.version, responded_at = new.responded_at, witness = new.witness
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS new (id, version, responded_at, witness)
		WHERE c.id = new.id AND c.state = 'breached' AND c.responded_at = $5 AND c.version = new.version - 1`,
		column(rows, clockID),
		column(rows, func(r store.ClockRow) int64 { return r.Version }),
		column(rows, func(r store.ClockRow) int64 { return micros(r.RespondedAt) }),
		column(rows, func(r store.ClockRow) string { return r.Witness }),
		micros(time.Time{}))
}

// SaveFired sends all of it in one round trip.
func (t *handoffTx) SaveFired(ctx context.Context, fired store.Fired) error {
	clocks := fired.Clocks
	batch := &pgx.Batch{}
	written := int64(0)
	if len(clocks) > 0 {
		batch.Queue(`
			UPDATE clocks c SET version = new.version, state = new.state, wake_at = new.wake_at, warned = new.warned, stopped_at = new.stopped_at
			FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
				AS new (id, version, state, wake_at, warned, stopped_at)
			WHERE c.id = new.id AND c.state = $7 AND c.version = new.version - 1`,
			column(clocks, clockID),
			column(clocks, func(r store.ClockRow) int64 { return r.Version }),
			column(clocks, func(r store.ClockRow) string { return r.State }),
			column(clocks, func(r store.ClockRow) int64 { return micros(r.WakeAt) }),
			column(clocks, func(r store.ClockRow) int64 { return int64(r.Warned) }),
			column(clocks, func(r store.ClockRow) int64 { return micros(r.StoppedAt) }), store.ClockOpen).Exec(func(tag pgconn.CommandTag) error {
			written = tag.RowsAffected()
			return nil
		})
	}
	if len(fired.Breaches) > 0 {
		batch.Queue(insertBreaches, breachArguments(fired.Breaches)...)
	}
	if len(fired.Notices) > 0 {
		batch.Queue(insertNotices, noticeArguments(fired.Notices)...)
	}
	if len(fired.Messages) > 0 {
		batch.Queue(enqueue, messageArguments(fired.Messages)...)
	}
	if batch.Len() == 0 {
		return nil
	}
	err := t.tx.SendBatch(ctx, batch).Close()
	if err == nil && written != int64(len(clocks)) {
		err = fmt.Errorf("postgres: save what became of promises: %d of %d clocks were open and at the version before: %w", written, len(clocks), store.ErrConflict)
	}
	return kept(t.tx, failed("save what became of promises", err))
}

const insertBreaches = `
	INSERT INTO breaches (clock, assignment, lead, due_at, recorded_at)
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])`

func (t *handoffTx) InsertBreaches(ctx context.Context, rows []store.Breach) error {
	_, err := exec(ctx, t.tx, "insert breaches", insertBreaches, breachArguments(rows)...)
	return err
}

func breachArguments(rows []store.Breach) []any {
	return []any{
		column(rows, func(r store.Breach) string { return r.Clock }),
		column(rows, func(r store.Breach) string { return r.Assignment }),
		column(rows, func(r store.Breach) string { return r.Lead }),
		column(rows, func(r store.Breach) int64 { return micros(r.DueAt) }),
		column(rows, func(r store.Breach) int64 { return micros(r.RecordedAt) }),
	}
}

// clocksOf returns all clocks of each assignment, by its id, in order of due time.
func clocksOf(ctx context.Context, q querier, assignments []store.Assignment) (map[string][]store.ClockRow, error) {
	rows, err := collect(ctx, q, "read clocks", scanClock, `SELECT `+clockColumns+` FROM clocks WHERE assignment = ANY ($1) ORDER BY due_at, id`,
		column(assignments, func(a store.Assignment) string { return a.ID }))
	clocks := make(map[string][]store.ClockRow, len(assignments))
	for _, c := range rows {
		clocks[c.Assignment] = append(clocks[c.Assignment], c)
	}
	return clocks, err
}

// clockArguments turns rows into arrays in clockColumns' order.
func clockArguments(rows []store.ClockRow) []any {
	return []any{
		column(rows, clockID),
		column(rows, func(r store.ClockRow) string { return r.Lead }),
		column(rows, func(r store.ClockRow) int64 { return int64(r.Cycle) }),
		column(rows, func(r store.ClockRow) int64 { return int64(r.Shard) }),
		column(rows, func(r store.ClockRow) string { return r.Assignment }),
		column(rows, func(r store.ClockRow) string { return r.Rep }),
		column(rows, func(r store.ClockRow) string { return r.Team }),
		column(rows, func(r store.ClockRow) string { return r.Name }),
		column(rows, func(r store.ClockRow) int64 { return r.Version }),
		column(rows, func(r store.ClockRow) string { return r.State }),
		column(rows, func(r store.ClockRow) int64 { return micros(r.StartedAt) }),
		column(rows, func(r store.ClockRow) int64 { return micros(r.DueAt) }),
		column(rows, func(r store.ClockRow) int64 { return micros(r.WakeAt) }),
		column(rows, func(r store.ClockRow) int64 { return int64(r.Within) }),
		column(rows, func(r store.ClockRow) string { return r.Calendar }),
		column(rows, func(r store.ClockRow) string { return r.TZData }),
		column(rows, func(r store.ClockRow) int64 { return int64(r.Counted) }),
		column(rows, func(r store.ClockRow) int64 { return int64(r.Needed) }),
		column(rows, func(r store.ClockRow) int64 { return int64(r.Warned) }),
		column(rows, func(r store.ClockRow) int64 { return micros(r.StoppedAt) }),
		column(rows, func(r store.ClockRow) string { return r.Agreement }),
		column(rows, func(r store.ClockRow) int64 { return micros(r.RespondedAt) }),
		column(rows, func(r store.ClockRow) string { return r.Witness }),
	}
}

func clockID(c store.ClockRow) string { return c.ID }

func scanClock(row pgx.CollectableRow) (c store.ClockRow, err error) {
	err = row.Scan(clockFields(&c)...)
	return c, err
}

// clockFields are the places of clockColumns.
func clockFields(c *store.ClockRow) []any {
	return []any{&c.ID, &c.Lead, &c.Cycle, &c.Shard, &c.Assignment, &c.Rep, &c.Team, &c.Name, &c.Version, &c.State,
		instant{&c.StartedAt}, instant{&c.DueAt}, instant{&c.WakeAt}, (*int64)(&c.Within), &c.Calendar, &c.TZData, &c.Counted, &c.Needed,
		&c.Warned, instant{&c.StoppedAt}, &c.Agreement, instant{&c.RespondedAt}, &c.Witness}
}
