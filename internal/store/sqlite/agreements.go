package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

func agreementFields(a *store.AgreementRow) []any {
	return []any{&a.Hash, at(&a.ActiveFrom), &a.Text, &a.Actor, &a.Signatures}
}

// SaveAgreement stores a version.
func (e *engine) SaveAgreement(ctx context.Context, row store.AgreementRow) error {
	return e.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.insertAgreement(ctx, row)
		return err
	})
}

// insertAgreement says whether the version is new.
func (t *tx) insertAgreement(ctx context.Context, row store.AgreementRow) (bool, error) {
	n, err := t.exec(ctx, "save an agreement",
		`INSERT INTO agreements (hash, active_from, document, actor, signatures) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		row.Hash, micros(row.ActiveFrom), blob(row.Text), row.Actor, blob(row.Signatures))
	return n == 1, err
}

// ListAgreements returns all versions.
func (e *engine) ListAgreements(ctx context.Context) ([]store.AgreementRow, error) {
	return collect(ctx, e.read, "list agreements", agreementFields,
		`SELECT hash, active_from, document, actor, signatures FROM agreements ORDER BY active_from, hash`)
}

// CountAgreements counts the versions.
func (e *engine) CountAgreements(ctx context.Context) (int, error) {
	return one(ctx, e.read, "count agreements", column[int], `SELECT count(*) FROM agreements`)
}
