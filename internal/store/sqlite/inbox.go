package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

func inboxFields(r *store.InboxRow) []any {
	return append(assignmentFields(&r.Assignment), handoffFields(&r.Handoff)...)
}

// Inbox returns a rep's live assignments: first those with an open clock, by the nearest due time.
func (h handoff) Inbox(ctx context.Context, rep string, limit int) ([]store.InboxRow, error) {
	const op = "read an inbox"
	var rows []store.InboxRow
	err := h.snapshot(ctx, op, func(q queryer) (err error) {
		rows, err = collect(ctx, q, op, inboxFields,
			`SELECT a.id, a.lead, a.cycle, a.n, a.version, a.rep, a.team, a.pool, a.started_at, a.accepted_at, a.ended_at, a.end_reason, a.decision,
				h.lead, h.cycle, h.version, h.state, h.result, h.pool, h.grade, h.channel, h.stage, h.agreement, h.history, h.assignments,
				h.excluded, h.received_at, h.started_at, h.waiting_since, h.contact, h.cause
			FROM assignments a JOIN handoffs h ON h.lead = a.lead AND h.cycle = a.cycle
			WHERE a.rep = ? AND a.ended_at IS NULL
			ORDER BY (SELECT min(due_at) FROM clocks c WHERE c.lead = a.lead AND c.cycle = a.cycle AND c.assignment = a.id AND c.state = 'open') NULLS LAST, a.id LIMIT ?`, rep, limit)
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Clocks, err = clocksOf(ctx, q, rows[i].Assignment); err != nil {
				return err
			}
		}
		return nil
	})
	return rows, err
}
