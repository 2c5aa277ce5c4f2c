package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

const clockColumns = `id, lead, cycle, shard, assignment, rep, team, name, version, state, started_at, due_at, wake_at, within, calendar,
	tzdata, counted, needed, warned, stopped_at, agreement, responded_at, witness`

func clockFields(c *store.ClockRow) []any {
	return []any{
		&c.ID, &c.Lead, &c.Cycle, &c.Shard, &c.Assignment, &c.Rep, &c.Team, &c.Name, &c.Version, &c.State,
		at(&c.StartedAt), at(&c.DueAt), at(&c.WakeAt), &c.Within, &c.Calendar, &c.TZData,
		&c.Counted, &c.Needed, &c.Warned, at(&c.StoppedAt), &c.Agreement, at(&c.RespondedAt), &c.Witness,
	}
}

func wakeFields(w *store.Wake) []any { return []any{at(&w.At), &w.ID} }

// clocksOf returns all clocks of an assignment, found by its handoff, which has few.
func clocksOf(ctx context.Context, q queryer, a store.Assignment) ([]store.ClockRow, error) {
	return collect(ctx, q, "read clocks", clockFields,
		`SELECT `+clockColumns+` FROM clocks WHERE lead = ? AND cycle = ? AND assignment = ? ORDER BY due_at, id`, a.Lead, a.Cycle, a.ID)
}

// byDue puts clocks that were read one key at a time into the order that is promised.
func byDue(clocks []store.ClockRow) []store.ClockRow {
	slices.SortFunc(clocks, func(a, b store.ClockRow) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
	})
	return clocks
}

// WakesUntil returns the wake-ups of a shard.
func (h handoff) WakesUntil(ctx context.Context, shard int, until time.Time, after store.Wake, limit int) ([]store.Wake, error) {
	return collect(ctx, h.read, "read wake-ups", wakeFields,
		`SELECT wake_at, id FROM clocks
		WHERE state = 'open' AND shard = ? AND wake_at < ? AND (wake_at, id) > (?, ?) ORDER BY wake_at, id LIMIT ?`,
		shard, micros(until), micros(after.At), after.ID, limit)
}

// OverdueClocks counts open clocks whose due time lies before t.
func (h handoff) OverdueClocks(ctx context.Context, t time.Time) (int, error) {
	return one(ctx, h.read, "count overdue clocks", column[int], `SELECT count(*) FROM clocks WHERE state = 'open' AND due_at < ?`, micros(t))
}

// InsertClocks stores clocks.
func (t handoffTx) InsertClocks(ctx context.Context, rows []store.ClockRow) error {
	for _, c := range rows {
		_, err := t.exec(ctx, "insert clocks",
			`INSERT INTO clocks (`+clockColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			c.ID, c.Lead, c.Cycle, c.Shard, c.Assignment, c.Rep, c.Team, c.Name, c.Version, c.State,
			micros(c.StartedAt), micros(c.DueAt), micros(c.WakeAt), c.Within, c.Calendar, c.TZData,
			c.Counted, c.Needed, c.Warned, micros(c.StoppedAt), c.Agreement, micros(c.RespondedAt), c.Witness)
		if err != nil {
			return err
		}
	}
	return nil
}

// OpenClocks returns the open clocks of the handoffs.
func (t handoffTx) OpenClocks(ctx context.Context, keys []store.HandoffKey) ([]store.ClockRow, error) {
	var clocks []store.ClockRow
	seen := make(map[store.HandoffKey]bool, len(keys))
	for _, k := range keys {
		if seen[k] {
			continue
		}
		seen[k] = true
		rows, err := collect(ctx, t, "read open clocks", clockFields,
			`SELECT `+clockColumns+` FROM clocks WHERE state = 'open' AND lead = ? AND cycle = ?`, k.Lead, k.Cycle)
		if err != nil {
			return nil, err
		}
		clocks = append(clocks, rows...)
	}
	return byDue(clocks), nil
}

// Clocks returns clocks by id. The transaction is the only writer: that is the lock.
func (t handoffTx) Clocks(ctx context.Context, ids []string) ([]store.ClockRow, error) {
	var clocks []store.ClockRow
	for _, id := range sorted(ids) {
		rows, err := collect(ctx, t, "lock clocks", clockFields, `SELECT `+clockColumns+` FROM clocks WHERE id = ?`, id)
		if err != nil {
			return nil, err
		}
		clocks = append(clocks, rows...)
	}
	return byDue(clocks), nil
}

// SaveClocks writes the rows that are open and in the version before, and says which. What a clock belongs to never changes, so the
// trees over it are left alone.
func (t handoffTx) SaveClocks(ctx context.Context, rows []store.ClockRow) ([]bool, error) {
	won := make([]bool, len(rows))
	for i, c := range rows {
		n, err := t.exec(ctx, "save clocks",
			`UPDATE clocks SET rep = ?, team = ?, version = ?, state = ?, started_at = ?, due_at = ?, wake_at = ?, within = ?, calendar = ?,
				tzdata = ?, counted = ?, needed = ?, warned = ?, stopped_at = ?, agreement = ?, responded_at = ?, witness = ?
			WHERE id = ? AND state = 'open' AND version = ?`,
			c.Rep, c.Team, c.Version, c.State, micros(c.StartedAt), micros(c.DueAt), micros(c.WakeAt), c.Within, c.Calendar,
			c.TZData, c.Counted, c.Needed, c.Warned, micros(c.StoppedAt), c.Agreement, micros(c.RespondedAt), c.Witness, c.ID, c.Version-1)
		if err != nil {
			return nil, err
		}
		won[i] = n == 1
	}
	return won, nil
}

// LockPromises returns what is open of ids. The transaction is the only writer: that is the lock.
func (t handoffTx) LockPromises(ctx context.Context, ids []string) ([]store.Promise, error) {
	promises, err := among(ctx, t, "lock promises", promiseFields, `SELECT `+promiseColumns+`
		FROM clocks c CROSS JOIN handoffs h ON h.lead = c.lead AND h.cycle = c.cycle
		WHERE c.id IN `+given+` AND c.state = 'open'`, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(promises, func(a, b store.Promise) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return promises, nil
}

// MissedPromises returns the breached clocks of a handoff that nothing has corrected.
func (t handoffTx) MissedPromises(ctx context.Context, key store.HandoffKey) ([]store.Promise, error) {
	return collect(ctx, t, "read missed promises", promiseFields, `SELECT `+promiseColumns+`
		FROM clocks c JOIN handoffs h ON h.lead = c.lead AND h.cycle = c.cycle
		WHERE c.lead = ? AND c.cycle = ? AND c.state = 'breached' AND c.responded_at = ? ORDER BY c.due_at, c.id`,
		key.Lead, key.Cycle, micros(time.Time{}))
}

// CorrectClocks writes what turned the verdicts on clocks.
func (t handoffTx) CorrectClocks(ctx context.Context, rows []store.ClockRow) error {
	for _, c := range rows {
		err := t.execOne(ctx, "correct clock", c.ID,
			`UPDATE clocks SET version = ?, responded_at = ?, witness = ? WHERE id = ? AND state = 'breached' AND responded_at = ? AND version = ?`,
			c.Version, micros(c.RespondedAt), c.Witness, c.ID, micros(time.Time{}), c.Version-1)
		if err != nil {
			return err
		}
	}
	return nil
}

// promiseColumns are clockColumns and what the handoff adds.
const promiseColumns = `c.id, c.lead, c.cycle, c.shard, c.assignment, c.rep, c.team, c.name, c.version, c.state, c.started_at, c.due_at, c.wake_at,
	c.within, c.calendar, c.tzdata, c.counted, c.needed, c.warned, c.stopped_at, c.agreement, c.responded_at, c.witness,
	h.state, h.agreement, h.pool, h.grade, h.channel, h.cause`

func promiseFields(p *store.Promise) []any {
	return append(clockFields(&p.ClockRow), &p.HandoffState, &p.HandoffAgreement, &p.Pool, &p.Grade, &p.Channel, &p.Cause)
}

// SaveFired writes what became of promises.
func (t handoffTx) SaveFired(ctx context.Context, fired store.Fired) error {
	for _, c := range fired.Clocks {
		err := t.execOne(ctx, "save clock", c.ID, `UPDATE clocks SET version = ?, state = ?, wake_at = ?, warned = ?, stopped_at = ?
			WHERE id = ? AND state = 'open' AND version = ?`, c.Version, c.State, micros(c.WakeAt), c.Warned, micros(c.StoppedAt), c.ID, c.Version-1)
		if err != nil {
			return err
		}
	}
	if err := t.InsertBreaches(ctx, fired.Breaches); err != nil {
		return err
	}
	if err := t.InsertNotices(ctx, fired.Notices); err != nil {
		return err
	}
	return t.Enqueue(ctx, fired.Messages)
}
