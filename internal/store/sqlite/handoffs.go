package sqlite

import (
	"context"
	"fmt"

	"github.com/leadpact/leadpact/internal/store"
)

const handoffColumns = `lead, cycle, version, state, result, pool, grade, channel, stage, agreement, history, assignments, excluded,
	received_at, started_at, waiting_since, contact, cause`

func handoffFields(h *store.HandoffRow) []any {
	return []any{
		&h.Lead, &h.Cycle, &h.Version, &h.State, &h.Result, &h.Pool, &h.Grade, &h.Channel, &h.Stage, &h.Agreement, &h.History,
		&h.Assignments, list{&h.Excluded}, at(&h.ReceivedAt), at(&h.StartedAt), at(&h.WaitingSince), &h.Contact, &h.Cause,
	}
}

// HandoffOf returns the newest handoff of a lead.
func (h handoff) HandoffOf(ctx context.Context, lead string) (store.HandoffRow, error) {
	return one(ctx, h.read, "read a handoff", handoffFields,
		`SELECT `+handoffColumns+` FROM handoffs WHERE lead = ? ORDER BY cycle DESC LIMIT 1`, lead)
}

// WaitingHandoffs returns the handoffs without an owner.
func (h handoff) WaitingHandoffs(ctx context.Context, limit int) ([]store.HandoffKey, error) {
	return collect(ctx, h.read, "read waiting handoffs", func(k *store.HandoffKey) []any { return []any{&k.Lead, &k.Cycle} },
		`SELECT lead, cycle FROM handoffs WHERE state = 'waiting' ORDER BY waiting_since, lead, cycle LIMIT ?`, limit)
}

// InsertHandoffs stores those that are new.
func (t handoffTx) InsertHandoffs(ctx context.Context, rows []store.HandoffRow) ([]bool, error) {
	const op = "insert handoffs"
	fresh := make([]bool, len(rows))
	for i, r := range rows {
		excluded, err := listed(r.Excluded)
		if err != nil {
			return nil, wrap(ctx, op, err)
		}
		n, err := t.exec(ctx, op,
			`INSERT INTO handoffs (`+handoffColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (lead, cycle) DO NOTHING`,
			r.Lead, r.Cycle, r.Version, r.State, r.Result, r.Pool, r.Grade, r.Channel, r.Stage, r.Agreement, r.History, r.Assignments,
			excluded, micros(r.ReceivedAt), micros(r.StartedAt), micros(r.WaitingSince), blob(r.Contact), r.Cause)
		if err != nil {
			return nil, err
		}
		fresh[i] = n == 1
	}
	return fresh, nil
}

// LockHandoffs returns the newest handoff of each lead that has one. The transaction is the only writer: that is the lock.
func (t handoffTx) LockHandoffs(ctx context.Context, leads []string) ([]store.HandoffRow, error) {
	return among(ctx, t, "lock handoffs", handoffFields,
		`SELECT `+handoffColumns+` FROM handoffs h WHERE lead IN `+given+` AND cycle = (SELECT max(cycle) FROM handoffs WHERE lead = h.lead) ORDER BY lead`, leads)
}

// SaveHandoffs writes handoffs in their next version.
func (t handoffTx) SaveHandoffs(ctx context.Context, rows []store.HandoffRow) error {
	const op = "save handoff"
	for _, r := range rows {
		excluded, err := listed(r.Excluded)
		if err != nil {
			return wrap(ctx, op, err)
		}
		err = t.execOne(ctx, op, fmt.Sprintf("%s/%d", r.Lead, r.Cycle),
			`UPDATE handoffs SET version = ?, state = ?, result = ?, pool = ?, grade = ?, channel = ?, stage = ?, agreement = ?, history = ?,
				assignments = ?, excluded = ?, received_at = ?, started_at = ?, waiting_since = ?, contact = ?, cause = ?
			WHERE lead = ? AND cycle = ? AND version = ?`,
			r.Version, r.State, r.Result, r.Pool, r.Grade, r.Channel, r.Stage, r.Agreement, r.History, r.Assignments, excluded,
			micros(r.ReceivedAt), micros(r.StartedAt), micros(r.WaitingSince), blob(r.Contact), r.Cause,
			r.Lead, r.Cycle, r.Version-1)
		if err != nil {
			return err
		}
	}
	return nil
}
