package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// Acknowledge stores that a person knows a version, once.
func (c compliance) Acknowledge(ctx context.Context, row store.Acknowledgement) (first time.Time, err error) {
	err = c.update(ctx, func(ctx context.Context, t *tx) error {
		const op = "acknowledge a version"
		_, err := t.exec(ctx, op, `INSERT INTO acknowledgements (hash, person, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			row.Hash, row.Person, micros(row.At))
		if err != nil {
			return err
		}
		first, err = one(ctx, t, op, func(t *time.Time) []any { return []any{at(t)} },
			`SELECT at FROM acknowledgements WHERE hash = ? AND person = ?`, row.Hash, row.Person)
		return err
	})
	return first, err
}

// Acknowledgements returns those of a version.
func (c compliance) Acknowledgements(ctx context.Context, hash string) ([]store.Acknowledgement, error) {
	return collect(ctx, c.read, "list acknowledgements", func(a *store.Acknowledgement) []any { return []any{&a.Hash, &a.Person, at(&a.At)} },
		`SELECT hash, person, at FROM acknowledgements WHERE hash = ? ORDER BY person`, hash)
}

// Members returns the newest roster's.
func (c compliance) Members(ctx context.Context) (store.Members, error) {
	m, err := one(ctx, c.read, "read the members", func(m *store.Members) []any { return []any{&m.Roster, list{&m.People}} },
		`SELECT roster, people FROM members`)
	if errors.Is(err, store.ErrNotFound) {
		return store.Members{}, nil
	}
	return m, err
}

// SaveMembers stores whom a roster names, unless those of a newer one are stored.
func (t complianceTx) SaveMembers(ctx context.Context, members store.Members) error {
	const op = "save the members"
	people, err := listed(members.People)
	if err != nil {
		return wrap(ctx, op, err)
	}
	_, err = t.exec(ctx, op, `
		INSERT INTO members (one, roster, people) VALUES (1, ?, ?)
		ON CONFLICT (one) DO UPDATE SET roster = excluded.roster, people = excluded.people WHERE members.roster < excluded.roster`,
		members.Roster, people)
	return err
}
