package postgres

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

// handoff is handoff's store.
type handoff struct{ *base }

// handoffTx is one transaction of handoff.
type handoffTx struct{ outbox }

func (h *handoff) Update(ctx context.Context, f func(ctx context.Context, tx store.HandoffTx) error) error {
	return h.update(ctx, func(ctx context.Context, tx *transaction) error { return f(ctx, &handoffTx{outbox{tx}}) })
}

// Inbox reads one snapshot, so that an assignment never shows another moment's clocks.
func (h *handoff) Inbox(ctx context.Context, rep string, limit int) ([]store.InboxRow, error) {
	var inbox []store.InboxRow
	err := h.snapshot(ctx, func(ctx context.Context, tx *transaction) error {
		assignments, err := collect(ctx, tx, "read an inbox", scanAssignment, `
			SELECT `+assignmentColumns+` FROM assignments a
			LEFT JOIN LATERAL (SELECT min(due_at) AS due FROM clocks WHERE assignment = a.id AND state = 'open') nearest ON true
			WHERE a.rep = $1 AND a.ended_at IS NULL
			ORDER BY nearest.due NULLS LAST, a.id LIMIT $2`, rep, max(limit, 0))
		if err != nil {
			return err
		}
		handoffs, err := handoffsOf(ctx, tx, column(assignments, func(a store.Assignment) store.HandoffKey { return a.HandoffKey }))
		if err != nil {
			return err
		}
		clocks, err := clocksOf(ctx, tx, assignments)
		if err != nil {
			return err
		}
		inbox = make([]store.InboxRow, len(assignments))
		for i, a := range assignments {
			inbox[i] = store.InboxRow{Assignment: a, Handoff: handoffs[a.HandoffKey], Clocks: clocks[a.ID]}
		}
		return nil
	})
	return inbox, err
}

// EachAssignment walks in pages.
func (h *handoff) EachAssignment(ctx context.Context, f func(a store.Assignment, clocks []store.ClockRow) error) error {
	return h.snapshot(ctx, func(ctx context.Context, tx *transaction) error {
		lead, cycle, n := "", int64(0), int64(-1)
		for more := true; more; {
			assignments, err := collect(ctx, tx, "read assignments", scanAssignment, `
				SELECT `+assignmentColumns+` FROM assignments WHERE (lead, cycle, n) > ($1, $2, $3) ORDER BY lead, cycle, n LIMIT $4`,
				lead, cycle, n, page)
			if err != nil {
				return err
			}
			clocks, err := clocksOf(ctx, tx, assignments)
			if err != nil {
				return err
			}
			for _, a := range assignments {
				if err := f(a, clocks[a.ID]); err != nil {
					return err
				}
				lead, cycle, n = a.Lead, int64(a.Cycle), int64(a.N)
			}
			more = len(assignments) == page
		}
		return nil
	})
}
