package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const assignmentColumns = `id, lead, cycle, n, version, rep, team, pool, started_at, accepted_at, ended_at, end_reason, decision`

func assignmentFields(a *store.Assignment) []any {
	return []any{
		&a.ID, &a.Lead, &a.Cycle, &a.N, &a.Version, &a.Rep, &a.Team, &a.Pool,
		at(&a.StartedAt), at(&a.AcceptedAt), at(&a.EndedAt), &a.EndReason, &a.Decision,
	}
}

// EachAssignment calls f for every assignment.
func (h handoff) EachAssignment(ctx context.Context, f func(a store.Assignment, clocks []store.ClockRow) error) error {
	const op = "read every assignment"
	return h.snapshot(ctx, op, func(q queryer) error {
		return each(ctx, q, op, assignmentFields, func(a store.Assignment) error {
			clocks, err := clocksOf(ctx, q, a)
			if err != nil {
				return err
			}
			return f(a, clocks)
		}, `SELECT `+assignmentColumns+` FROM assignments ORDER BY lead, cycle, n`)
	})
}

// LiveAssignments returns the live assignment of each lead that has one.
func (t handoffTx) LiveAssignments(ctx context.Context, leads []string) (map[string]store.Assignment, error) {
	rows, err := among(ctx, t, "read live assignments", assignmentFields,
		`SELECT `+assignmentColumns+` FROM assignments WHERE lead IN `+given+` AND ended_at IS NULL`, leads)
	if err != nil {
		return nil, err
	}
	live := make(map[string]store.Assignment, len(rows))
	for _, a := range rows {
		live[a.Lead] = a
	}
	return live, nil
}

// Assignments returns all of a handoff.
func (t handoffTx) Assignments(ctx context.Context, key store.HandoffKey) ([]store.Assignment, error) {
	return collect(ctx, t, "read the assignments of a handoff", assignmentFields,
		`SELECT `+assignmentColumns+` FROM assignments WHERE lead = ? AND cycle = ? ORDER BY n`, key.Lead, key.Cycle)
}

// InsertAssignments stores assignments.
func (t handoffTx) InsertAssignments(ctx context.Context, rows []store.Assignment) error {
	for _, a := range rows {
		_, err := t.exec(ctx, "insert assignments",
			`INSERT INTO assignments (`+assignmentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			a.ID, a.Lead, a.Cycle, a.N, a.Version, a.Rep, a.Team, a.Pool,
			micros(a.StartedAt), micros(a.AcceptedAt), ended(a.EndedAt), a.EndReason, blob(a.Decision))
		if err != nil {
			return err
		}
	}
	return nil
}

// SaveAssignments writes what may change in an assignment, in its next version.
func (t handoffTx) SaveAssignments(ctx context.Context, rows []store.Assignment) error {
	for _, a := range rows {
		err := t.execOne(ctx, "save assignment", a.ID,
			`UPDATE assignments SET version = ?, accepted_at = ?, ended_at = ?, end_reason = ? WHERE id = ? AND version = ?`,
			a.Version, micros(a.AcceptedAt), ended(a.EndedAt), a.EndReason, a.ID, a.Version-1)
		if err != nil {
			return err
		}
	}
	return nil
}
