package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

func (c *compliance) Acknowledge(ctx context.Context, a store.Acknowledgement) (time.Time, error) {
	return one(ctx, c.pool, "acknowledge a version", func(row pgx.CollectableRow) (at time.Time, err error) {
		err = row.Scan(instant{&at})
		return at, err
	}, `
		INSERT INTO acknowledgements (hash, person, at) VALUES ($1, $2, $3)
		ON CONFLICT (hash, person) DO UPDATE SET at = acknowledgements.at RETURNING at`, a.Hash, a.Person, micros(a.At))
}

func (c *compliance) Acknowledgements(ctx context.Context, hash string) ([]store.Acknowledgement, error) {
	return collect(ctx, c.pool, "list acknowledgements", func(row pgx.CollectableRow) (a store.Acknowledgement, err error) {
		return a, row.Scan(&a.Hash, &a.Person, instant{&a.At})
	}, `SELECT hash, person, at FROM acknowledgements WHERE hash = $1 ORDER BY person`, hash)
}

func (c *compliance) Members(ctx context.Context) (store.Members, error) {
	m, err := one(ctx, c.pool, "read the members", func(row pgx.CollectableRow) (m store.Members, err error) {
		var people string
		if err := row.Scan(&m.Roster, &people); err != nil {
			return m, err
		}
		return m, json.Unmarshal([]byte(people), &m.People)
	}, `SELECT roster, people FROM members`)
	if errors.Is(err, store.ErrNotFound) {
		return store.Members{}, nil
	}
	return m, err
}

func (t *complianceTx) SaveMembers(ctx context.Context, members store.Members) error {
	people, err := json.Marshal(members.People)
	if err != nil {
		return failed("save the members", err)
	}
	_, err = exec(ctx, t.tx, "save the members", `
		INSERT INTO members (roster, people) VALUES ($1, $2)
		ON CONFLICT (one) DO UPDATE SET roster = excluded.roster, people = excluded.people WHERE members.roster < excluded.roster`,
		members.Roster, string(people))
	return err
}
