package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

func (b *base) SaveAgreement(ctx context.Context, row store.AgreementRow) error {
	_, err := saveAgreement(ctx, b.pool, row)
	return err
}

func (b *base) ListAgreements(ctx context.Context) ([]store.AgreementRow, error) {
	return collect(ctx, b.pool, "list agreements", func(row pgx.CollectableRow) (a store.AgreementRow, err error) {
		return a, row.Scan(&a.Hash, instant{&a.ActiveFrom}, &a.Text, &a.Actor, &a.Signatures)
	}, `SELECT hash, active_from, document, actor, signatures FROM agreements ORDER BY active_from, hash`)
}

func (b *base) CountAgreements(ctx context.Context) (count int, err error) {
	err = b.pool.QueryRow(ctx, `SELECT count(*) FROM agreements`).Scan(&count)
	return count, failed("count agreements", err)
}

// saveAgreement says whether the version was new.
func saveAgreement(ctx context.Context, q querier, row store.AgreementRow) (bool, error) {
	n, err := exec(ctx, q, "save an agreement", `
		INSERT INTO agreements (hash, active_from, document, actor, signatures) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hash) DO NOTHING`,
		row.Hash, micros(row.ActiveFrom), filled(row.Text), row.Actor, filled(row.Signatures))
	return n == 1, err
}
