package sqlite

import (
	"context"
	"maps"

	"github.com/leadpact/leadpact/internal/store"
)

// FindLead returns the lead that an identifier names.
func (s scoring) FindLead(ctx context.Context, identifier string) (string, error) {
	return one(ctx, s.read, "find a lead", column[string], `SELECT lead FROM aliases WHERE identifier = ?`, identifier)
}

// Resolve returns the lead of each identifier that has one.
func (t scoringTx) Resolve(ctx context.Context, identifiers []string) (map[string]string, error) {
	found, err := among(ctx, t, "resolve identifiers", aliasFields, `SELECT identifier, lead FROM aliases WHERE identifier IN `+given, identifiers)
	if err != nil {
		return nil, err
	}
	leads := make(map[string]string, len(found))
	for _, a := range found {
		leads[a.Identifier] = a.Lead
	}
	return leads, nil
}

func aliasFields(a *store.Alias) []any { return []any{&a.Identifier, &a.Lead} }

// Bind stores identifiers that are new and returns the lead of each.
func (t scoringTx) Bind(ctx context.Context, aliases []store.Alias) (map[string]string, error) {
	bound := make(map[string]string, len(aliases))
	var taken []string
	for _, a := range aliases {
		n, err := t.exec(ctx, "bind identifiers", `INSERT INTO aliases (identifier, lead) VALUES (?, ?) ON CONFLICT DO NOTHING`,
			a.Identifier, a.Lead)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			bound[a.Identifier] = a.Lead
		} else {
			taken = append(taken, a.Identifier)
		}
	}
	others, err := t.Resolve(ctx, taken)
	maps.Copy(bound, others)
	return bound, err
}
