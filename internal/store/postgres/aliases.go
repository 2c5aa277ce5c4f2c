package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

func (s *scoring) FindLead(ctx context.Context, identifier string) (lead string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT lead FROM aliases WHERE identifier = $1`, identifier).Scan(&lead)
	return lead, failed("find a lead", err)
}

func (t *scoringTx) Resolve(ctx context.Context, identifiers []string) (map[string]string, error) {
	aliases, err := collect(ctx, t.tx, "resolve identifiers", scanAlias,
		`SELECT identifier, lead FROM aliases WHERE identifier = ANY ($1)`, identifiers)
	leads := make(map[string]string, len(aliases))
	for _, a := range aliases {
		leads[a.Identifier] = a.Lead
	}
	return leads, err
}

// Bind waits at an identifier that another open transaction is binding; the read after it sees who won.
func (t *scoringTx) Bind(ctx context.Context, aliases []store.Alias) (map[string]string, error) {
	sorted := distinct(aliases, func(a store.Alias) string { return a.Identifier }, cmp.Compare[string])
	identifiers := column(sorted, func(a store.Alias) string { return a.Identifier })
	_, err := exec(ctx, t.tx, "bind identifiers", `
		INSERT INTO aliases (identifier, lead) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT (identifier) DO NOTHING`,
		identifiers, column(sorted, func(a store.Alias) string { return a.Lead }))
	if err != nil {
		return nil, err
	}
	return t.Resolve(ctx, identifiers)
}

// identifiersOf returns the identifiers of each lead, sorted.
func identifiersOf(ctx context.Context, q querier, leads []string) (map[string][]string, error) {
	aliases, err := collect(ctx, q, "read identifiers", scanAlias,
		`SELECT identifier, lead FROM aliases WHERE lead = ANY ($1) ORDER BY lead, identifier`, leads)
	identifiers := make(map[string][]string, len(leads))
	for _, a := range aliases {
		identifiers[a.Lead] = append(identifiers[a.Lead], a.Identifier)
	}
	return identifiers, err
}

func scanAlias(row pgx.CollectableRow) (a store.Alias, err error) {
	return a, row.Scan(&a.Identifier, &a.Lead)
}
