package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const aliasQuery = `SELECT lead FROM aliases WHERE identifier = ?`

// FindLead returns the lead that an identifier names.
func (s scoring) FindLead(ctx context.Context, identifier string) (string, error) {
	return one(ctx, s.read, "find a lead", column[string], aliasQuery, identifier)
}

// Resolve returns the lead of each identifier that has one.
func (t scoringTx) Resolve(ctx context.Context, identifiers []string) (map[string]string, error) {
	leads := make(map[string]string, len(identifiers))
	for _, identifier := range identifiers {
		found, err := collect(ctx, t, "resolve identifiers", column[string], aliasQuery, identifier)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			leads[identifier] = found[0]
		}
	}
	return leads, nil
}

// Bind stores identifiers that are new and returns the lead of each.
func (t scoringTx) Bind(ctx context.Context, aliases []store.Alias) (map[string]string, error) {
	identifiers := make([]string, 0, len(aliases))
	for _, a := range aliases {
		_, err := t.exec(ctx, "bind identifiers", `INSERT INTO aliases (identifier, lead) VALUES (?, ?) ON CONFLICT DO NOTHING`,
			a.Identifier, a.Lead)
		if err != nil {
			return nil, err
		}
		identifiers = append(identifiers, a.Identifier)
	}
	return t.Resolve(ctx, identifiers)
}
